"""A folder of ordinary files is dealt out to the members: whose a file is, where it goes, and which one wins."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from pytest_rmqha.config.folder import ConfigFile, check_folder, files_of, layered, paths_wanted, unread
from pytest_rmqha.config.origin import left_out, loaded_definitions, not_judged, origin_lines, topology_to_import
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.places import BALANCER_TARGETS, BROKER_TARGETS
from pytest_rmqha.topology import BalancerSpec, BrokerSpec, Topology


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def contents(folders: list[Path], member: str, role: str) -> dict[str, bytes]:
    return {name: file.content for name, file in layered(folders, member, role).items()}


def test_a_broker_gets_the_files_that_a_broker_reads(tmp_path: Path) -> None:
    write(tmp_path, rabbitmq_dot_conf="a", enabled_plugins="b", haproxy_dot_cfg="c", README_dot_md="d")

    assert {name: file.target for name, file in files_of(tmp_path, "rmq1", "broker").items()} == {
        "rabbitmq.conf": "/etc/rabbitmq/rabbitmq.conf",
        "enabled_plugins": "/etc/rabbitmq/enabled_plugins",
    }


def test_a_balancer_gets_its_files_and_its_scripts(tmp_path: Path) -> None:
    write(tmp_path, rabbitmq_dot_conf="a", haproxy_dot_cfg="b", lb1__keepalived_dot_conf="c", notify_dot_sh="d")

    assert {name: file.target for name, file in files_of(tmp_path, "lb1", "balancer").items()} == {
        "haproxy.cfg": "/etc/haproxy/haproxy.cfg",
        "keepalived.conf": "/etc/keepalived/keepalived.conf",
        "notify.sh": "/etc/keepalived/notify.sh",
    }
    assert "keepalived.conf" not in files_of(tmp_path, "lb2", "balancer")


def test_bytes_stay_as_they_are(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbfa = 1\r\n\xff"
    (tmp_path / "rabbitmq.conf").write_bytes(raw)

    file = files_of(tmp_path, "rmq1", "broker")["rabbitmq.conf"]
    assert (file.content, file.origin) == (raw, tmp_path / "rabbitmq.conf")
    assert file.sha256 == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(("has", "gets"), [(0o644, 0o644), (0o600, 0o644), (0o755, 0o755), (0o700, 0o755)])
def test_a_script_keeps_its_executable_bit(tmp_path: Path, has: int, gets: int) -> None:
    write(tmp_path, check_dot_sh="#!/bin/sh\n")
    (tmp_path / "check.sh").chmod(has)

    assert files_of(tmp_path, "lb1", "balancer")["check.sh"].mode == gets


def test_a_members_own_file_wins_over_everybodys(tmp_path: Path) -> None:
    write(tmp_path, rabbitmq_dot_conf="all", rmq2__rabbitmq_dot_conf="two")

    assert contents([tmp_path], "rmq1", "broker") == {"rabbitmq.conf": b"all"}
    assert contents([tmp_path], "rmq2", "broker") == {"rabbitmq.conf": b"two"}


def test_a_later_folder_wins_and_hides_nothing_else(tmp_path: Path) -> None:
    first, second = tmp_path / "reference", tmp_path / "mine"
    write(first, rabbitmq_dot_conf="old", enabled_plugins="kept", rmq1__advanced_dot_config="own")
    write(second, rabbitmq_dot_conf="new")

    assert contents([first, second], "rmq1", "broker") == {
        "rabbitmq.conf": b"new",
        "enabled_plugins": b"kept",
        "advanced.config": b"own",
    }


def test_what_is_no_folder_holds_nothing(tmp_path: Path) -> None:
    write(tmp_path, rmq1="a file with a member's name", rabbitmq_dot_conf="a")

    assert contents([tmp_path / "nowhere"], "rmq1", "broker") == {}
    assert contents([tmp_path], "rmq1", "broker") == {"rabbitmq.conf": b"a"}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, rabbitmq_dot_conf="a")

    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)

    with pytest.raises(UserInputError, match=r"rabbitmq\.conf; expected a readable file.*\(Permission denied\)"):
        files_of(tmp_path, "rmq1", "broker")


THREE = Topology(
    "three",
    (BrokerSpec("rmq1", "rabbitmq01", "198.18.40.40"), BrokerSpec("rmq2", "rabbitmq02", "198.18.40.41")),
    (BalancerSpec("lb1", "lb1", "198.18.40.43"), BalancerSpec("lb2", "lb2", "198.18.40.44")),
    "198.18.40.46",
    "198.18.40.0/24",
    "198.18.40.1",
    "stack",
)


def test_a_file_stands_where_the_members_files_name_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        rabbitmq_dot_conf="# /etc/rabbitmq/old.pem\nssl_options.cacertfile = /etc/rabbitmq/tls/ca.pem\n",
        haproxy_dot_cfg="errorfile 503 /etc/haproxy/errors/503.http\nstats uri /haproxy-stats\n",
        keepalived_dot_conf='script "/usr/local/bin/check.sh"\nnotify "/etc/keepalived/other"\n',
        **{"ca_dot_pem": "a", "503_dot_http": "b", "check_dot_sh": "c", "old_dot_pem": "d", "loose_dot_sh": "e"},
    )

    broker = {f.name: f.target for f in files_of(tmp_path, "rmq1", "broker").values()}
    balancer = {f.name: f.target for f in files_of(tmp_path, "lb1", "balancer").values()}
    assert broker["ca.pem"] == "/etc/rabbitmq/tls/ca.pem"
    assert not {"old.pem", "503.http", "check.sh"} & broker.keys()
    assert balancer["503.http"] == "/etc/haproxy/errors/503.http"
    assert balancer["check.sh"] == "/usr/local/bin/check.sh"
    assert balancer["loose.sh"] == "/etc/keepalived/loose.sh"
    assert "ca.pem" not in balancer


def test_what_a_named_file_names_is_found_too_and_may_name_it_back(tmp_path: Path) -> None:
    write(tmp_path, keepalived_dot_conf="include /etc/keepalived/vrrp.inc\n", vrrp_dot_inc='script "/opt/x/check"\n')
    write(tmp_path, check="#!/bin/sh\n. /etc/keepalived/vrrp.inc\n")

    assert {f.target for f in files_of(tmp_path, "lb1", "balancer").values()} == {
        "/etc/keepalived/keepalived.conf",
        "/etc/keepalived/vrrp.inc",
        "/opt/x/check",
    }


def test_a_file_that_is_named_at_two_places_stands_at_both(tmp_path: Path) -> None:
    write(tmp_path, haproxy_dot_cfg="a /etc/one/x.pem\nb /etc/two/x.pem\n", x_dot_pem="x")

    found = files_of(tmp_path, "lb1", "balancer").values()
    assert sorted(f.target for f in found if f.name == "x.pem") == ["/etc/one/x.pem", "/etc/two/x.pem"]


def test_my_script_stands_where_the_references_configuration_names_it(tmp_path: Path) -> None:
    first, second = tmp_path / "reference", tmp_path / "mine"
    write(first, keepalived_dot_conf='script "/usr/libexec/check.sh"\n', check_dot_sh="old")
    write(second, check_dot_sh="new")

    assert [(f.target, f.content) for f in layered([first, second], "lb1", "balancer").values()][1] == (
        "/usr/libexec/check.sh",
        b"new",
    )


def test_a_sub_folder_may_have_the_host_name(tmp_path: Path) -> None:
    write(tmp_path, rabbitmq_dot_conf="all", rabbitmq01__rabbitmq_dot_conf="one")

    assert layered([tmp_path], "rmq1", "broker", "rabbitmq01")["rabbitmq.conf"].content == b"one"
    assert layered([tmp_path], "rmq2", "broker", "rabbitmq02")["rabbitmq.conf"].content == b"all"
    check_folder(tmp_path, THREE)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["rmq9/rabbitmq.conf"],
            r"rmq9; expected a member of topology three: rmq1 \(rabbitmq01\), rmq2 .*lb2.*rename it",
        ),
        (
            ["rmq1/rabbitmq.conf", "rabbitmq01/rabbitmq.conf"],
            "rabbitmq01 and rmq1; expected one sub-folder for member rmq1",
        ),
        (["rmq1/haproxy.cfg"], "rmq1/haproxy.cfg; expected files that rmq1, a broker, reads"),
        (["lb1/errors/503.http"], "lb1/errors; expected files that lb1, a balancer, reads"),
    ],
)
def test_a_sub_folder_that_would_go_untested_is_refused(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(UserInputError, match=message):
        check_folder(tmp_path, THREE)


def test_a_file_for_everybody_that_everybody_has_of_his_own_is_refused(tmp_path: Path) -> None:
    write(tmp_path, keepalived_dot_conf="new", lb1__keepalived_dot_conf="old")
    check_folder(tmp_path, THREE)

    write(tmp_path, lb2__keepalived_dot_conf="old")
    with pytest.raises(UserInputError, match=r"keepalived\.conf, which no member reads: lb1, lb2 have their own"):
        check_folder(tmp_path, THREE)


def test_files_of_a_role_that_the_topology_has_not_are_said_to_be_judged_by_nobody(tmp_path: Path) -> None:
    write(tmp_path, rabbitmq_dot_conf="x", haproxy_dot_cfg="y", keepalived_dot_conf="z")
    alone = dataclasses.replace(THREE, name="alone", balancers=())

    check_folder(tmp_path, alone)
    assert not_judged(tmp_path, THREE) == []
    assert not_judged(tmp_path, alone) == ["not judged: haproxy.cfg, keepalived.conf (topology alone has no balancer)"]


def test_a_file_of_ours_does_not_stand_in_at_a_place_that_only_theirs_names(tmp_path: Path) -> None:
    ours, mine = tmp_path / "ours", tmp_path / "mine"
    write(ours, keepalived_dot_conf="script /etc/keepalived/check.sh\n", check_dot_sh="ours", x_dot_pem="ours")
    write(mine, keepalived_dot_conf="script /usr/local/bin/check.sh\n", haproxy_dot_cfg="crt /etc/ssl/x.pem\n")

    def places(own: Path | None) -> list[str]:
        found = layered([ours, mine], "lb1", "balancer", own=own).values()
        return sorted(file.target for file in found if file.name in ("check.sh", "x.pem"))

    assert places(mine) == ["/etc/keepalived/check.sh"]
    assert places(None) == ["/etc/ssl/x.pem", "/usr/local/bin/check.sh"]
    write(mine, check_dot_sh="mine")
    assert "/usr/local/bin/check.sh" in places(mine)


def test_hidden_folders_and_notes_are_nobodys(tmp_path: Path) -> None:
    write(tmp_path, _dot_git__config="x", lb1__README_dot_md="y", topology_dot_json="{}", haproxy_dot_cfg="z")

    check_folder(tmp_path, THREE)
    assert unread(tmp_path) == []


def test_a_file_named_by_a_relative_path_is_read_by_nobody(tmp_path: Path) -> None:
    write(tmp_path, keepalived_dot_conf="include vrrp.inc\n", vrrp_dot_inc="x")

    assert [path.name for path in unread(tmp_path)] == ["vrrp.inc"]


def test_paths_that_have_to_be_there(tmp_path: Path) -> None:
    text = "monitor-uri /alive\nstats socket /run/haproxy/admin.sock\nlog /dev/log\ncrt /etc/ssl/x.pem\nhttpchk GET /api/x\n"
    write(tmp_path, haproxy_dot_cfg=text)

    files = files_of(tmp_path, "lb1", "balancer").values()
    assert [(line, path) for _, line, path in paths_wanted(files)] == [(4, "/etc/ssl/x.pem")]


MINE, OURS = Path("/mine"), Path("/ours")
LOADS = "load_definitions = /etc/rabbitmq/definitions.json\n"


def file(name: str, text: str, folder: Path = MINE, target: str = "") -> ConfigFile:
    places = {**BROKER_TARGETS, **BALANCER_TARGETS}
    return ConfigFile(name, folder / name, target or places[name], text.encode(), 0o644)


def test_the_header_says_whose_each_file_is() -> None:
    mine, ours = file("haproxy.cfg", ""), file("rabbitmq.conf", "", OURS)
    split = {
        "lb1": [mine, file("keepalived.conf", "")],
        "lb2": [mine, file("keepalived.conf", "", OURS)],
        "rmq1": [ours],
    }
    assert origin_lines(MINE, split) == [
        "configuration /mine: haproxy.cfg, keepalived.conf (of lb1) yours; keepalived.conf (of lb2), rabbitmq.conf from the reference"
    ]


def test_our_queues_are_imported_with_our_definitions_only(tmp_path: Path) -> None:
    ours, mine = tmp_path / "ours", tmp_path / "mine"
    for folder in (ours, mine):
        folder.mkdir()
    (ours / "topology.json").write_text("{}")
    conf, reference = file("rabbitmq.conf", LOADS, ours), file("definitions.json", "{}", ours)
    theirs = file("app.json", "{}", mine, target="/etc/rabbitmq/app.json")
    names_theirs = file("rabbitmq.conf", "load_definitions = /etc/rabbitmq/app.json\n", mine)
    folders = [ours, mine]

    assert loaded_definitions([conf, reference]) == reference
    assert topology_to_import([ours], None, [[conf, reference]]) == ours / "topology.json"
    assert topology_to_import(folders, mine, [[conf, reference]]) == ours / "topology.json"
    assert topology_to_import(folders, mine, [[conf, file("definitions.json", "{}", mine)]]) is None
    assert topology_to_import(folders, mine, [[conf, reference], [names_theirs, reference, theirs]]) is None
    assert topology_to_import(folders, mine, [[file("rabbitmq.conf", "", mine), reference]]) is None
    (mine / "topology.json").write_text("{}")
    assert topology_to_import(folders, mine, [[conf, theirs]]) == mine / "topology.json"


def test_what_of_ours_is_left_out_beside_their_own_is_said(tmp_path: Path) -> None:
    ours, mine = tmp_path / "ours", tmp_path / "mine"
    for folder in (ours, mine):
        folder.mkdir()
    for name in ("advanced.config", "topology.json"):
        (ours / name).write_text("{}")
    conf, reference = file("rabbitmq.conf", LOADS, ours), file("definitions.json", "{}", ours)
    advanced, theirs = file("advanced.config", "[].", ours), file("definitions.json", "{}", mine)
    folders, own = [ours, mine], file("rabbitmq.conf", LOADS, mine)

    def said(*files: ConfigFile) -> list[str]:
        return left_out(folders, mine, {"rmq1": files})

    assert said(conf, reference, advanced) == []
    assert said(own, reference) == ["left out of the reference: advanced.config (goes with our rabbitmq.conf)"]
    assert said(conf, theirs, advanced) == ["left out of the reference: topology.json (goes with our definitions)"]
    assert said(own, theirs)[0].count("goes with our") == 2
    assert said(own, reference, file("advanced.config", "[].", mine)) == []
