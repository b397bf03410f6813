"""From a measure to the lines that govern it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_rmqha.config.folder import TOPOLOGY_FILE, ConfigFile, layered
from pytest_rmqha.config.suspects import MEASURES, suspects
from tests.gate.mutants import BY_ID

MEMBERS = {"rmq1": "broker", "rmq3": "broker", "lb1": "balancer", "lb2": "balancer"}


def told(measure: str, folder: Path) -> str:
    members = [list(layered([folder], name, role).values()) for name, role in MEMBERS.items()]
    if (imported := folder / TOPOLOGY_FILE).is_file():
        members.append([ConfigFile(imported.name, imported, "", imported.read_bytes(), 0o644)])
    return suspects(measure, members)


@pytest.mark.parametrize(
    ("mutant", "measure", "line"),
    [
        ("H05", "idle client", "haproxy.cfg:17: timeout client 9s (must outlast two heartbeats)"),
        ("R08", "silent client", "heartbeat = 0 (0 never notices"),
        ("H12", "connections served", "haproxy.cfg:9: mode http"),
        ("H20", "connections served", "haproxy.cfg:24: bind 198.18.40.43:5672"),
        ("R22a", "connections served", "server rmq1 198.18.40.40:5672 check send-proxy"),
        ("H14", "connections spread", "balance source"),
        ("K06", "take-over", "lb1/keepalived.conf:25: advert_int 10"),
        ("K09", "take-over", "lb2/keepalived.conf: nothing says track_script (no check is tracked)"),
        ("K10", "take-over", "weight -20"),
        ("K13", "take-over", "nothing says script_user"),
        ("K15a", "take-over", "check_haproxy.sh:3: exec killall -0 haproxy"),
        ("K08", "return", "lb1/keepalived.conf:20: state MASTER (cancels nopreempt)"),
        ("K08b", "return", "lb1/keepalived.conf:21: preempt_delay 10 (takes the VIP back that much later"),
        ("K27", "return", "nothing says nopreempt or preempt_delay"),
        ("P01", "replicas", '"ha-params": 1'),
        ("P02", "synchronisation", "mirrors catch up by hand only"),
        ("R23", "open doors", '"name": "guest"'),
        ("R01", "partition", "cluster_partition_handling = ignore (decides what a cut-off broker does)"),
        ("H01", "marked down", "server rmq1 198.18.40.40:5672 (nobody looks at it)"),
        ("H02", "marked down", "nothing says tcp-check expect or http-check or option httpchk (an L4 check passes on"),
        ("H03", "marked down", "inter 60s fall 5 rise 2 on-marked-down shutdown-sessions (fall times inter"),
        ("H04", "sessions", "nothing says on-marked-down shutdown-sessions (sessions stay on a broker that is DOWN)"),
        ("H11", "marked down", "tcp-check connect port 15672 (another port than AMQP's is looked at)"),
        ("P19", "replicas", '"x-quorum-initial-group-size": 1 (decides how many members a quorum queue gets)'),
        ("P04", "loss", '"ha-promote-on-failure": "always" (a mirror that lacks messages may lead)'),
        ("R02", "loss", "cluster_partition_handling = autoheal (one side's messages are dropped)"),
        ("O10", "loss", "boots without its peers: what they had later is lost"),
        ("H04", "stall", "nothing says on-marked-down shutdown-sessions"),
        ("K06", "stall", "lb1/keepalived.conf:25: advert_int 10"),
        ("R12", "cold start", "mnesia_table_loading_retry_limit = 1 (how long a broker waits for its peers)"),
    ],
)
def test_a_mutant_is_traced_to_its_line(mutant: str, measure: str, line: str, tmp_path: Path) -> None:
    assert line in told(measure, BY_ID[mutant].write(tmp_path / "config"))


def test_the_default_tick_time_is_suspect_only_where_neither_file_states_one(tmp_path: Path) -> None:
    (tmp_path / "rabbitmq.conf").write_text("cluster_partition_handling = pause_minority\n")
    assert "rabbitmq.conf: nothing says net_ticktime (by default a silent cut" in told("partition", tmp_path)

    (tmp_path / "advanced.config").write_text("[{kernel, [{net_ticktime, 8}]}].\n")
    assert "nothing says net_ticktime" not in told("partition", tmp_path)
    assert "advanced.config:1: [{kernel, [{net_ticktime, 8}]}]. (a silent cut" in told("partition", tmp_path)


def test_how_long_a_pause_waits_for_a_queue_that_hangs_is_looked_for_in_a_partition(tmp_path: Path) -> None:
    (tmp_path / "advanced.config").write_text("[{rabbit, [{classic_queue_shutdown_timeout, 600000}]}].\n")

    assert "classic_queue_shutdown_timeout, 600000}]}]. (how long a broker that pauses waits" in told(
        "partition", tmp_path
    )


def test_a_check_that_default_server_states_is_stated(tmp_path: Path) -> None:
    lines = "default-server check inter 2s\ntcp-check expect binary 01\nserver rmq1 192.0.2.1:5672\n"
    (tmp_path / "haproxy.cfg").write_text(lines)

    assert told("marked down", tmp_path).count("haproxy.cfg:") == 1
    assert "nobody looks at it" not in told("marked down", tmp_path)


def test_who_does_not_repeat_its_claim_to_the_vip_is_suspect_after_a_split(tmp_path: Path) -> None:
    (tmp_path / "keepalived.conf").write_text("vrrp_instance A {\n    advert_int 1\n}\n")

    assert "nothing says garp_master_refresh (after a split clients" in told("one holder", tmp_path)


def test_a_comment_is_no_suspect(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text("# mode http\n    mode tcp\n")

    assert told("connections served", tmp_path) == ""


def test_a_page_in_mode_http_is_no_suspect_and_defaults_are(tmp_path: Path) -> None:
    page = "listen stats\n    bind 192.0.2.1:8404\n    mode http\n"
    (tmp_path / "haproxy.cfg").write_text(f"defaults\n    mode tcp\n{page}listen amqp\n    bind :5672\n")
    assert told("connections served", tmp_path) == ""

    (tmp_path / "haproxy.cfg").write_text(
        f"{page}defaults\n    mode http\nlisten amqp\n    bind :5672\n    mode http\n"
    )
    lines = told("connections served", tmp_path)
    assert "haproxy.cfg:5: mode http" in lines
    assert "haproxy.cfg:8: mode http" in lines
    assert "haproxy.cfg:3" not in lines


def test_suspects_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text("timeout client 1s\n" * 9)

    assert told("idle client", tmp_path).endswith("and 5 more")


def test_an_unknown_measure_is_our_own_mistake() -> None:
    with pytest.raises(KeyError):
        suspects("luck", [])


def test_every_rule_has_something_to_look_for() -> None:
    assert all(rule.shows or rule.unless for rules in MEASURES.values() for rule in rules)


def test_of_a_json_file_only_what_matches_is_told(tmp_path: Path) -> None:
    """An export is one line, with everybody's password hash in it."""
    (tmp_path / "rabbitmq.conf").write_text("load_definitions = /etc/rabbitmq/definitions.json\n")
    users = '{"users":[{"name":"guest","password_hash":"secret=="}],'
    (tmp_path / "definitions.json").write_text(
        users + '"policies":[{"pattern":"^a","definition":{"ha-mode":"exactly","ha-params":1}},{"pattern":"^b"}]}'
    )

    for measure in ("open doors", "replicas", "loss", "stall"):
        assert "secret" not in told(measure, tmp_path)
    assert '"name":"guest" (the default user)' in told("open doors", tmp_path)
    assert all(text in told("replicas", tmp_path) for text in ('"pattern":"^a"', '"pattern":"^b"', '"ha-params":1'))


@pytest.mark.parametrize(
    ("measure", "name", "line", "shown"),
    [
        ("one holder", "keepalived.conf", "    auth_pass hunter2x", ":1: auth_pass *** (must fit"),
        ("open doors", "rabbitmq.conf", "default_pass = Sup3rS3cret", ":1: default_pass = *** (lets"),
        ("take-over", "check.sh", "curl -fsu mon:hunter2x http://[::1] || pidof haproxy", "-fsu mon:*** http"),
    ],
)
def test_a_password_is_not_shown(measure: str, name: str, line: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(line + "\n")

    assert shown in told(measure, tmp_path)


def test_the_check_of_another_service_is_no_suspect(tmp_path: Path) -> None:
    lines = told("marked down", BY_ID["H03"].write(tmp_path / "config"))

    assert lines.startswith("; see config/haproxy.cfg:35: default-server inter 60s fall 5 rise 2 on-marked-down")
    assert "15672" not in lines
    assert "haproxy.cfg:48" not in lines


def test_what_only_another_services_section_states_is_missing(tmp_path: Path) -> None:
    page = "backend page\n    option httpchk\n    default-server check on-marked-down shutdown-sessions\n"
    amqp = "listen amqp\n    bind :5672\n    server rmq1 192.0.2.1:5672\n"
    (tmp_path / "haproxy.cfg").write_text(page + amqp)

    assert "haproxy.cfg:6: server rmq1 192.0.2.1:5672 (nobody looks at it)" in told("marked down", tmp_path)
    assert "nothing says tcp-check expect" in told("marked down", tmp_path)
    assert "nothing says on-marked-down shutdown-sessions" in told("sessions", tmp_path)


def test_lines_are_of_the_definitions_that_the_broker_loads(tmp_path: Path) -> None:
    policy = '{{"policies": [{{"pattern": "{}", "definition": {{"ha-mode": "exactly"}}}}]}}'
    (tmp_path / "definitions.json").write_text(policy.format("^ours"))
    (tmp_path / "cluster-defs.json").write_text(policy.format("^theirs"))
    (tmp_path / "rabbitmq.conf").write_text("load_definitions = /etc/rabbitmq/cluster-defs.json\n")

    for measure in ("replicas", "loss", "synchronisation"):
        assert "/cluster-defs.json" in told(measure, tmp_path)
        assert "/definitions.json" not in told(measure, tmp_path)
    assert 'cluster-defs.json:1: "pattern": "^theirs" (decides who has a mirror)' in told("replicas", tmp_path)

    (tmp_path / "rabbitmq.conf").write_text("heartbeat = 20\n")
    assert told("replicas", tmp_path) == ""


def test_each_broker_is_asked_for_its_own_definitions(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text('{"policies": [{"pattern": "^q"}]}')
    for broker, name in (("rmq1", "a.json"), ("rmq3", "b.json")):
        (tmp_path / broker).mkdir()
        (tmp_path / broker / "rabbitmq.conf").write_text(f"load_definitions = /etc/rabbitmq/{name}\n")

    assert "a.json:1" in told("replicas", tmp_path)
    assert "b.json:1" in told("replicas", tmp_path)


@pytest.mark.parametrize("place", ["/etc/keepalived/vi.conf", "/opt/vrrp/vi.conf"])
def test_what_an_included_file_states_is_stated(place: str, tmp_path: Path) -> None:
    (tmp_path / "keepalived.conf").write_text(f"include {place}\n")
    (tmp_path / "vi.conf").write_text(
        "vrrp_instance x {\n    advert_int 10\n    nopreempt\n    garp_master_refresh 5\n    track_script { chk }\n}\n"
    )

    for measure in ("take-over", "return", "one holder"):
        assert "nothing says" not in told(measure, tmp_path)
    assert "vi.conf:2: advert_int 10 (three of them pass" in told("take-over", tmp_path)


def test_one_balancers_file_does_not_speak_for_the_other(tmp_path: Path) -> None:
    for balancer, says in (("lb1", "track_script { chk }"), ("lb2", "advert_int 1")):
        (tmp_path / balancer).mkdir()
        (tmp_path / balancer / "keepalived.conf").write_text(f"vrrp_instance x {{\n    {says}\n}}\n")

    assert told("take-over", tmp_path) == "; see lb2/keepalived.conf: nothing says track_script (no check is tracked)"


@pytest.mark.parametrize(
    ("globals_", "is_missed"),
    [
        ("", False),
        ("enable_script_security", True),
        ("enable_script_security\nscript_user root", False),
        ("enable_script_security\nvrrp_script chk {\n    user root\n}", False),
    ],
)
def test_a_script_user_is_missed_only_under_script_security(globals_: str, is_missed: bool, tmp_path: Path) -> None:
    (tmp_path / "keepalived.conf").write_text(f"{globals_}\ntrack_script {{ chk }}\n")

    assert ("nothing says script_user" in told("take-over", tmp_path)) is is_missed
