"""What the benchmarks make of their measurements; the measuring itself needs an engine, the ledger's alone does not."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pika
import pytest

from pytest_rmqha.adapters.run_secrets import Secrets
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.topology import BalancerSpec, BrokerSpec, Topology
from scripts.bench import __main__ as bench
from scripts.bench import bare_client, bare_stack, bring_up, ledger, rates, share
from scripts.bench.row import AT_LEAST, AT_MOST, Row, table, write
from tests.unit.manifests import manifest

# rows


@pytest.mark.parametrize(
    ("measured", "bound", "kept"),
    [(1.1, AT_MOST, True), (1.2, AT_MOST, False), (0.9, AT_LEAST, True), (0.89, AT_LEAST, False)],
)
def test_a_row_is_kept_up_to_its_target(measured: float, bound: str, kept: bool) -> None:
    assert Row("x", measured, "", bound, 1.1 if bound == AT_MOST else 0.9, {}).kept is kept


def test_the_table_names_measured_target_and_ratio() -> None:
    text = table([Row("memory", 512.0, "MB", AT_MOST, 256, {"streams": 5}), Row("rate", 0.95, "", AT_LEAST, 0.9, {})])
    assert [line.split() for line in text.splitlines()] == [
        ["what", "measured", "target", "ratio"],
        ["memory", "512", "MB", "at", "most", "256", "MB", "2.00", "MISSED"],
        ["streams", "5"],
        ["rate", "0.95", "at", "least", "0.9", "1.06", "kept"],
    ]


def test_the_file_has_the_machine_and_every_row(tmp_path: Path) -> None:
    write(tmp_path / "reports" / "bench.json", [Row("x", 1.0, "s", AT_MOST, 2.0, {})], {"line": "3.10"})
    found = json.loads((tmp_path / "reports" / "bench.json").read_text())
    assert found["line"] == "3.10"
    assert found["machine"]["cores"] >= 1
    assert found["rows"][0] | {"ratio": 0.5, "kept": True} == found["rows"][0]


def test_bring_ups_are_compared_by_their_medians() -> None:
    row = bring_up.row([30, 20, 99], [20, 40, 25], {"steady state": ["1.0/1.0"]})
    assert row.measured == pytest.approx(30 / 25)
    assert not row.kept


# rates


def test_a_rate_leaves_out_both_ends() -> None:
    buckets = [(n * 0.2, 1000 if 1 <= n * 0.2 < 3.99 else 1) for n in range(25)]
    assert rates.rate_of(buckets) == pytest.approx(5000)


def test_a_stall_in_the_middle_counts_as_time() -> None:
    buckets = [(0.0, 9), (1.0, 100), (1.2, 100), (3.8, 100), (5.0, 9)]
    assert rates.rate_of(buckets) == pytest.approx(100)


def test_a_rate_of_samples_is_between_the_edges() -> None:
    samples = [(n * 0.2, n * 50, n * 40) for n in range(30)]
    assert rates.rate_of_samples(samples) == pytest.approx(250)
    assert rates.rate_of_samples(samples, column=2) == pytest.approx(200)


@pytest.mark.parametrize("counted", [[], [(0.0, 1)], [(0.0, 5), (1.0, 5)]])
def test_too_short_a_load_is_no_rate(counted: list[tuple[float, int]]) -> None:
    with pytest.raises(ValueError, match=r"counted|leave nothing"):
        rates.rate_of(counted)
    with pytest.raises(ValueError, match=r"counted|leave nothing"):
        rates.rate_of_samples(counted)


class Connection:
    """Publishes into a list; the broker's answers are the test's."""

    def __init__(self, *_: object, **__: object) -> None:
        self.published: list[bytes] = []

    def basic_publish(self, _exchange: str, _queue: str, body: bytes, *_: object, **__: object) -> None:
        self.published.append(body)


def test_the_plain_script_keeps_its_window_and_counts_every_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pika.SelectConnection", Connection)
    publisher = bare_client.Publisher(pika.ConnectionParameters(), "q", 10, 60.0, None)
    publisher.channel, publisher.until = Connection(), float("inf")

    def confirmed(tag: int, multiple: bool) -> None:
        publisher._answered(SimpleNamespace(method=pika.spec.Basic.Ack(tag, multiple)))

    publisher._publish()
    confirmed(3, False)
    confirmed(7, True)

    assert (publisher.confirmed, len(publisher.waiting), len(publisher.channel.published)) == (7, 10, 17)


# the stack by hand


def test_by_hand_the_same_files_are_copied_in() -> None:
    topology = Topology(
        "two",
        (BrokerSpec("rmq1", "rmq1", "198.18.40.40"),),
        (BalancerSpec("lb1", "lb1", "198.18.40.43"),),
        None,
        "198.18.40.0/24",
        "198.18.40.1",
        "stack",
    )
    conf = ConfigFile("rabbitmq.conf", Path("rabbitmq.conf"), "/etc/rabbitmq/rabbitmq.conf", b"heartbeat = 20", 0o644)
    stack = SimpleNamespace(topology=topology, config_files={"rmq1": [conf], "lb1": []}, secrets=Secrets(cookie="c"))

    archives = bare_stack.files_of(cast(Stack, stack), b"root:x:0:0::/:\nrabbitmq:x:100:101::/:\n")

    with tarfile.open(fileobj=io.BytesIO(archives["rmq1"])) as archive:
        entries = {entry.name: entry for entry in archive}
        copied = archive.extractfile("etc/rabbitmq/rabbitmq.conf")
        assert copied is not None and copied.read() == b"heartbeat = 20"
    cookie = entries["var/lib/rabbitmq/.erlang.cookie"]
    assert (cookie.uid, cookie.gid, cookie.mode) == (100, 101, 0o400)
    assert "lb1" in archives


# the ledger


@pytest.mark.parametrize(("case", "outcome"), [(ledger.WHOLE, "held"), (ledger.HALF_LOST, "broken")])
def test_a_small_ledger_is_filled_and_judged(tmp_path: Path, case: str, outcome: str) -> None:
    filled = ledger.fill(tmp_path / "dump.json", case, messages=4000)
    judged = ledger.judge(tmp_path / "dump.json")

    assert (judged["attempted"], judged["outcome"]) == (4000, outcome)
    assert float(str(filled["megabytes"])) > 1


def test_every_second_one_is_lost() -> None:
    stream = ledger.half_lost(16).streams["p.bench"]
    assert list((stream.confirmed - stream.delivered).ones()) == [1, 3, 5, 7, 9, 11, 13, 15]


# our share


def event(at: float, kind: str, subject: str, **data: Any) -> dict[str, Any]:
    utc = f"2025-01-01T00:{int(at // 60):02}:{at % 60:06.3f}+00:00"
    return {"at": at + 1000, "utc": utc, "kind": kind, "subject": subject, "text": "", "data": data}


def wait(start: float, end: float, label: str, number: int | None = None) -> list[dict[str, Any]]:
    data = {} if number is None else {"wait": number}
    return [event(start, "wait.begin", label, **data), event(end, "wait.end", label, **data)]


def of(*events: Mapping[str, Any], end: float = 100.0) -> share.Share:
    return share.share(sorted(events, key=lambda one: float(one["at"])), 1000.0, 1000.0 + end)


def test_a_run_without_any_wait_is_all_ours() -> None:
    found = of(event(50, "note", "x"))
    assert found.percent == pytest.approx(100)


def test_the_bring_up_is_parted_by_its_steps() -> None:
    found = of(
        *wait(1, 3, "bring-up: create containers"),
        *wait(3, 4, "bring-up: link proxies"),
        *wait(4, 24, "bring-up: brokers boot and form the cluster"),
        *wait(24, 25, "bring-up: queues of the configuration"),
        *wait(25, 29, "bring-up: steady state"),
        end=29,
    )
    assert found.stack == pytest.approx({share.BOOT: 20, share.STEADY: 4})
    assert found.ours == pytest.approx({share.BEFORE: 1, share.BRING_UP: 4})


def test_a_fault_is_the_stacks_from_its_injection_until_it_is_gone() -> None:
    found = of(
        event(10, "scenario.begin", "a"),
        event(20, "fault.injected", "cut", took=1.0),
        *wait(21, 25, "“cut” in effect", 1),
        event(40, "fault.healed", "cut", took=2.0),
        *wait(42, 47, "“cut” gone", 2),
        event(47, "fault.gone", "cut"),
        *wait(50, 56, "steady state afterwards", 3),
        event(60, "scenario.end", "a"),
        end=70,
    )
    assert found.stack == pytest.approx({share.ACT: 3, share.HOLD: 19, share.GONE: 5, share.STEADY: 6})
    assert found.ours == pytest.approx({share.BEFORE: 10, share.INSIDE: 17, share.AFTER: 10})
    assert sum(found.stack.values()) + sum(found.ours.values()) == pytest.approx(found.wall)


def test_a_moment_of_several_waits_is_counted_once() -> None:
    found = of(
        event(0, "fault.injected", "a"),
        event(10, "fault.injected", "b"),
        *wait(10, 50, "messages that a dead session holds", 1),
        event(40, "fault.healed", "b"),
        event(80, "fault.healed", "a"),
    )
    assert found.stack == pytest.approx({share.HELD: 40, share.HOLD: 40})


def test_a_fault_that_was_never_healed_lasts_to_the_end() -> None:
    found = of(event(60, "fault.injected", "a"), *wait(70, 80, "“a” in effect", 1)[:1])
    assert sum(found.stack.values()) == pytest.approx(40)


@pytest.mark.parametrize("label", ["restart of rmq1 with autoheal", "frozen for half the tick time"])
def test_restarts_and_waits_that_a_scenario_names_are_the_stacks(label: str) -> None:
    assert sum(of(*wait(10, 30, label, 1)).stack.values()) == pytest.approx(20)


def test_between_two_scenarios_is_ours() -> None:
    moments = [(0, "begin"), (10, "end"), (13, "begin"), (20, "end")]
    found = of(*(event(at, f"scenario.{what}", "a") for at, what in moments), end=25)
    assert found.ours == pytest.approx({share.INSIDE: 17, share.BETWEEN: 3, share.AFTER: 5})


def test_the_longest_stretches_of_ours_name_what_began_them() -> None:
    found = of(event(2, "scenario.begin", "a"), *wait(30, 90, "steady state afterwards", 1), event(95, "vip", "x"))
    assert [s.end - s.start for s in found.longest] == pytest.approx([30, 10])
    assert [s.label for s in found.longest] == ["the beginning", "wait.end steady state afterwards"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 100 s that waited for 90."""
    folder = tmp_path / "20250101-000000-abcd"
    folder.mkdir()
    times = {"started": "2025-01-01T00:00:00.000+00:00"}
    found = manifest(folder.name, **times) | {"finished": "2025-01-01T00:01:40.000+00:00"}
    (folder / "manifest.json").write_text(json.dumps(found))
    lines = [event(1, "scenario.begin", "a"), *wait(5, 95, "steady state afterwards", 1)]
    (folder / "timeline.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def test_the_share_of_a_run_on_disk(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert share.main(str(run)) == 0
    assert "wall time 100.0 s, ours 10.0 s: 10.0 %, at most 15 %" in capsys.readouterr().out
    assert bench.newest_run(run.parent) == run
    assert bench.of_share(run)[0].kept


@pytest.mark.parametrize("missing", ["manifest.json", "timeline.jsonl"])
def test_a_run_that_tells_nothing_has_no_share(run: Path, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    (run / missing).unlink()
    assert share.main(str(run)) == 2
    assert missing in capsys.readouterr().err
    assert bench.newest_run(run.parent) is None
    assert bench.of_share(None) == []


def test_a_run_that_goes_on_has_no_share(run: Path) -> None:
    found = json.loads((run / "manifest.json").read_text()) | {"unfinished": True}
    (run / "manifest.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match="has no end"):
        share.of_run(run)
    assert bench.newest_run(run.parent) is None
