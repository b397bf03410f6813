"""What checkers say becomes findings with file and line, and what no checker sees is said too. Outputs are real ones."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha.adapters.preflight import read
from pytest_rmqha.adapters.preflight_script import BALANCER, script
from pytest_rmqha.config.checkers import broker_said, haproxy_said, keepalived_said
from pytest_rmqha.config.container_looks import files_said, missing_paths, script_said, with_carriage_returns
from pytest_rmqha.config.definitions import importable
from pytest_rmqha.config.findings import ERROR, UNCHECKED, WARNING, Finding, lines, refuse
from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.config.origin import imported_file
from pytest_rmqha.config.preflight import across
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.places import BALANCER_TARGETS, BROKER_TARGETS

MINE = Path("/mine")
PLACES = {**BROKER_TARGETS, **BALANCER_TARGETS}
ADDRESSES = {"lb1": "198.18.40.43", "lb2": "198.18.40.44"}


def file(name: str, text: str, folder: Path = MINE, target: str = "", mode: int = 0o644) -> ConfigFile:
    return ConfigFile(name, folder / name, target or PLACES[name], text.encode(), mode)


def shown(findings: list[Finding]) -> list[tuple[str, int, str]]:
    return [(Path(f.file).name, f.line, f.severity) for f in findings]


def test_haproxy_of_2_6() -> None:
    said = """\
[NOTICE]   (9788) : haproxy version is 2.6.12-1+deb12u4
[WARNING]  (9788) : config : missing timeouts for frontend 'x'.
[ALERT]    (9788) : config : parsing [/etc/haproxy/haproxy.cfg:3] : please use the 'bind' keyword for listening addresses.
[ALERT]    (9788) : config : [/etc/haproxy/haproxy.cfg:37] : 'server a/b' : could not resolve address 'nowhere'.
[ALERT]    (9788) : config : Error(s) found in configuration file : /etc/haproxy/haproxy.cfg
[ALERT]    (9788) : config : Fatal errors found in configuration.
"""
    found = haproxy_said(1, said)
    assert shown(found) == [
        ("haproxy.cfg", 0, WARNING),
        ("haproxy.cfg", 3, ERROR),
        ("haproxy.cfg", 37, ERROR),
    ]
    assert found[1].text == "please use the 'bind' keyword for listening addresses."
    assert found[2].text == "'server a/b' : could not resolve address 'nowhere'."


def test_haproxy_of_2_2_and_one_without_a_word() -> None:
    said = (
        "[ALERT] 270/103500 (8) : parsing [/etc/haproxy/haproxy.cfg:12] : unknown keyword 'x' in 'defaults' section\n"
    )
    assert shown(haproxy_said(1, said)) == [("haproxy.cfg", 12, ERROR)]
    assert haproxy_said(0, "Configuration file is valid\n") == []
    assert shown(haproxy_said(2, "Configuration file has no error but will not start (no listener) => exit(2).\n")) == [
        ("haproxy.cfg", 0, ERROR)
    ]


KEEPALIVED = "(/etc/keepalived/keepalived.conf: Line 8) Truncating auth_pass to 8 characters\n"


@pytest.mark.parametrize(
    ("version", "code", "severity"),
    [
        ("Keepalived v2.1.5 (07/13,2020)", 3, ERROR),
        ("Keepalived v2.1.5 (07/13,2020)", 4, WARNING),
        ("Keepalived v2.1.5 (07/13,2020)", 5, WARNING),
        ("Keepalived v2.2.7 (01/16,2022)", 4, ERROR),
        ("Keepalived v2.2.7 (01/16,2022)", 5, WARNING),
        ("Keepalived v2.2.7 (01/16,2022)", 6, WARNING),
        ("Keepalived v2.3.3 (03/30,2025)", 4, ERROR),
        ("", 4, WARNING),
        ("", 1, ERROR),
    ],
)
def test_what_a_code_of_keepalived_means_depends_on_its_version(version: str, code: int, severity: str) -> None:
    assert shown(keepalived_said(code, KEEPALIVED, version)) == [("keepalived.conf", 8, severity)]
    assert shown(keepalived_said(code, "", version)) == [("keepalived.conf", 0, severity)]


def test_keepalived_does_not_start_without_its_interface_whatever_its_code_says() -> None:
    said = (
        "(Line 22) WARNING - interface em1 for vrrp_instance a doesn't exist\n"
        "Non-existent interface specified in configuration\n"
    )
    found = keepalived_said(5, said, "Keepalived v2.2.7")
    assert shown(found) == [("keepalived.conf", 22, WARNING), ("keepalived.conf", 0, ERROR)]
    assert found[0].text.startswith("interface em1")


def test_words_of_keepalived_count_even_where_its_code_is_0() -> None:
    assert keepalived_said(0, "", "Keepalived v2.2.7") == []
    assert shown(keepalived_said(0, KEEPALIVED, "Keepalived v2.1.5")) == [("keepalived.conf", 8, WARNING)]


def test_the_broker_names_the_key_and_we_find_its_line() -> None:
    conf = file("rabbitmq.conf", "# heartbeat = 1\nheartbeat = twenty\nlog.fiel = false\n")
    rows = [
        ["error", conf.target, "0", "Conf file attempted to set unknown variable: log.fiel"],
        ["error", conf.target, "0", "Error transforming datatype for: heartbeat"],
        ["error", conf.target, "0", '"twenty" cannot be converted to a(n) integer'],
        ["error", conf.target, "0", f"Syntax error in {conf.target} after line 2 column 1, parsing incomplete"],
        ["error", "/etc/rabbitmq/advanced.config", "2", "syntax error before: 2000"],
        ["torn"],
    ]
    assert [f.line for f in broker_said(rows, [conf])] == [3, 2, 2, 2, 2]


def test_a_path_that_nobody_has_and_a_script_that_cannot_run() -> None:
    conf = file("keepalived.conf", 'script "/usr/local/bin/a.sh"\nnotify "/usr/local/bin/b.sh"\ninclude /etc/x.inc\n')
    states = {"/usr/local/bin/a.sh": "plain", "/usr/local/bin/b.sh": "absent", "/etc/x.inc": "plain"}
    found = missing_paths([conf], states)
    assert shown(found) == [("keepalived.conf", 1, WARNING), ("keepalived.conf", 2, WARNING)]
    assert "not executable" in found[0].text
    assert "neither the folder nor the image" in found[1].text


VRRP = """\
global_defs {{
    enable_script_security
    {user}
}}
vrrp_instance a {{
    virtual_router_id {vrid}
    advert_int {advert}
    authentication {{
        auth_type PASS
        auth_pass {secret}
    }}
    unicast_peer {{
        {peer}
    }}
    virtual_ipaddress {{ 198.18.40.46/24 dev eth0 }}
}}
"""
GOOD = {"user": "script_user root", "vrid": "9", "advert": "1", "secret": "abcdefgh1", "peer": "198.18.40.44"}


def vrrp(**others: str) -> ConfigFile:
    return file("keepalived.conf", VRRP.format(**{**GOOD, **others}))


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ({}, {"vrid": "8"}, "virtual_router_id 9 here, 8 on lb2"),
        ({"advert": "2"}, {}, "advert_int 2 here, 1 on lb2"),
        ({}, {"secret": "zzz"}, "auth_pass differs"),
        ({"peer": "198.18.40.99"}, {}, "unicast_peer of a lacks 198.18.40.44 (lb2)"),
        ({}, {"user": ""}, "without script_user"),
    ],
)
def test_what_two_balancers_disagree_on(one: dict[str, str], other: dict[str, str], message: str) -> None:
    both = {"lb1": [vrrp(**one)], "lb2": [vrrp(**{"peer": "198.18.40.43", **other})]}
    found = across({}, both, ADDRESSES, "3.10")
    assert len(found) == 1
    assert message in found[0].text
    assert (found[0].severity, GOOD["secret"] in found[0].text) == (WARNING, False)


def test_two_balancers_that_agree_in_the_eight_characters_that_count() -> None:
    both = {"lb1": [vrrp()], "lb2": [vrrp(peer="198.18.40.43", secret="abcdefgh2")]}
    assert across({}, both, ADDRESSES, "3.10") == []


def test_what_is_included_counts() -> None:
    def side(secret: str, peer: str) -> list[ConfigFile]:
        text = VRRP.format(**{**GOOD, "peer": peer}).replace("auth_pass abcdefgh1", "include /etc/keepalived/p.inc")
        included = file("p.inc", f"auth_pass {secret}\n", target="/etc/keepalived/p.inc")
        return [file("keepalived.conf", text), included]

    found = across({}, {"lb1": side("x", "198.18.40.44"), "lb2": side("y", "198.18.40.43")}, ADDRESSES, "3.10")
    assert ["auth_pass differs" in f.text for f in found] == [True]


@pytest.mark.parametrize(
    ("heartbeat", "haproxy", "found"),
    [
        ("20", "defaults\n timeout client 3m\n timeout server 3m\n", []),
        ("60", "defaults\n timeout client 1m\n timeout server 3h\n", [("haproxy.cfg", 2, WARNING)]),
        ("60", "frontend page\n mode http\n timeout client 5s\n", []),
        ("0", "defaults\n timeout client 1m\n", [("rabbitmq.conf", 1, WARNING)]),
        ("twenty", "defaults\n timeout client 1s\n", []),
    ],
)
def test_the_heartbeat_against_the_time_outs(heartbeat: str, haproxy: str, found: list[Any]) -> None:
    brokers = {"rmq1": [file("rabbitmq.conf", f"heartbeat = {heartbeat}\n")]}
    assert shown(across(brokers, {"lb1": [file("haproxy.cfg", haproxy)]}, ADDRESSES, "3.10")) == found


LOADS = "load_definitions = /etc/rabbitmq/definitions.json\n"


def definitions(text: str, line: str = "3.10") -> list[Finding]:
    brokers = {"rmq1": [file("rabbitmq.conf", LOADS), file("definitions.json", text)]}
    return across(brokers, {}, {}, line)


def queue(name: str, vhost: str) -> dict[str, Any]:
    return {"name": name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": {}}


def policy(pattern: str, vhost: str, **definition: object) -> dict[str, Any]:
    return {"name": "p", "vhost": vhost, "pattern": pattern, "definition": definition}


@pytest.mark.parametrize(
    ("text", "line", "severity", "words"),
    [
        ('{"vhosts": [\n {"name": "a"},\n ]}', 3, ERROR, "no JSON"),
        ("[]", 0, ERROR, "object was expected"),
        ('{"queues": {"a": 1}}', 0, ERROR, "queues: a list of objects"),
        ('{"queues": [{"name": "a"}]}', 0, WARNING, "queues: a: without vhost, durable, auto_delete"),
    ],
)
def test_definitions_that_cannot_be_imported(text: str, line: int, severity: str, words: str) -> None:
    (found,) = definitions(text)
    assert (found.line, found.severity) == (line, severity)
    assert words in found.text


def test_what_is_imported_once_the_cluster_has_formed_is_read_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "topology.json"
    assert imported_file([tmp_path], None, []) is None
    file.symlink_to(tmp_path / "nowhere")
    assert imported_file([tmp_path], None, []) is None
    file.unlink()

    def said(content: bytes) -> list[Finding]:
        file.write_bytes(content)
        imported = imported_file([tmp_path], None, [])
        assert imported is not None
        return importable(imported)

    (broken,) = said(b'{"queues": [\n {"name": "a",,}]}')
    assert (broken.file, broken.line, broken.severity) == (str(file), 2, ERROR)
    assert "no JSON" in broken.text
    (marked,) = said(b'\xef\xbb\xbf{"queues": []}')
    assert (marked.line, marked.severity) == (1, ERROR)
    assert "BOM" in marked.text
    assert said(b'{"queues": []}') == []


SCRIPTS = {
    "/etc/keepalived/dash.sh": "#!/bin/sh\nif true\n echo a\n",
    "/etc/keepalived/bash.sh": "#!/usr/bin/env bash\nfor a in 1; do\n fi\ndone\n",
    "/etc/keepalived/good.sh": "#!/bin/sh -e\necho ok\n",
    "/etc/keepalived/other.py": "#!/usr/bin/python3\nif if\n",
}


def test_what_the_shells_say_of_scripts() -> None:
    said = (
        '/etc/keepalived/dash.sh: 4: Syntax error: end of file unexpected (expecting "then")\n'
        "/etc/keepalived/bash.sh: line 3: syntax error near unexpected token `fi'\n"
        "/etc/keepalived/bash.sh: line 3: ` fi'\n"
    )
    assert sorted((f.file, f.line, f.text) for f in script_said(said)) == [
        ("/etc/keepalived/bash.sh", 3, "syntax error near unexpected token `fi'"),
        ("/etc/keepalived/dash.sh", 4, 'Syntax error: end of file unexpected (expecting "then")'),
    ]
    assert script_said("") == []
    (unchecked,) = script_said("sh: 1: bash: not found\nsh: 1: bash: not found\n")
    assert (unchecked.severity, unchecked.text) == (UNCHECKED, "the image has no bash")


@pytest.mark.parametrize(
    ("most", "lines_", "found"),
    [
        ("20000", "global\n  maxconn 20000\n", [("haproxy.cfg", 2, ERROR)]),
        ("20000", "global\n  maxconn 8000\nfrontend a\n  maxconn 90000\n", []),
        ("unlimited", "global\n  maxconn 20000\n", []),
        ("1024", "global\n  log x\n\n# maxconn\ndefaults\n  maxconn 90000\n", []),
    ],
)
def test_connections_that_this_engine_has_no_files_for(most: str, lines_: str, found: list[Any]) -> None:
    seen = files_said(most, [file("haproxy.cfg", lines_)])
    assert shown(seen) == found
    assert not seen or "needs about 40100 open files, and the container may have 20000" in seen[0].text


def test_a_script_from_another_system_has_no_interpreter() -> None:
    files = [
        file("notify.sh", "#!/bin/sh\r\necho\r\n", target="/etc/keepalived/notify.sh"),
        file("check_haproxy.sh", "#!/bin/sh\necho\r\n", target="/etc/keepalived/check_haproxy.sh"),
    ]
    assert [(f.file, f.line) for f in with_carriage_returns(files)] == [("/mine/notify.sh", 1)]


def test_each_script_is_read_by_the_shell_that_it_names(tmp_path: Path) -> None:
    """The very text that runs in the container, here with paths of its own."""
    for path, text in SCRIPTS.items():
        (tmp_path / Path(path).name).write_text(text)
    files = [
        ConfigFile(Path(p).name, MINE / p, str(tmp_path / Path(p).name), t.encode(), 0o755) for p, t in SCRIPTS.items()
    ]
    text = script("balancer", files).partition(BALANCER)[0].replace("/etc/hosts", "/dev/null")

    done = subprocess.run(
        ["sh", "-c", text], capture_output=True, text=True, timeout=20, env={**os.environ, "MEMBERS": ""}
    )

    assert [
        (Path(f.file).name, f.line) for f in read("balancer", "lb1", done.stdout, files) if f.source == "sh -n"
    ] == [
        ("bash.sh", 3),
        ("dash.sh", 4),
    ]


def test_a_policy_that_reaches_no_queue() -> None:
    body = {
        "queues": [queue("ha.x", "app")],
        "policies": [policy("^ha", "app"), policy("^ha", "/"), policy("^z", "app")],
    }
    found = definitions(json.dumps(body))
    assert [("in vhost app it would match" in f.text) for f in found] == [True, False]
    assert "matches none of the queues of vhost app" in found[1].text


def test_mirroring_carried_to_4() -> None:
    body = json.dumps({"policies": [policy(".*", "/", **{"ha-mode": "all"})]})
    assert definitions(body, "3.10") == []
    assert ["ha-mode were removed in 4.0" in f.text for f in definitions(body, "4.0")] == [True]


def test_errors_end_the_session_with_everything_that_was_found() -> None:
    warning, error = Finding("a", 1, WARNING, "w"), Finding("b", 2, ERROR, "e", "haproxy -c")
    refuse([warning])
    with pytest.raises(
        UserInputError, match=r"1 error before anything was started:\n  b:2: error: e .*\n  a:1: warning"
    ):
        refuse([warning, error])
    assert lines([warning, error, warning], most=1) == ["b:2: error: e [haproxy -c]", "and 1 more"]
