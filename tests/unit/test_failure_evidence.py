"""What a red test carries in the report: bounded, of this test alone, and nothing where nothing was kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_rmqha.failure_evidence import LINES, LONGEST, attach, attached, end_of, is_there, of_bring_up, of_play


@pytest.fixture(autouse=True)
def report(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """name -> text of what was attached."""
    found: dict[str, str] = {}

    def attach_text(text: str, name: str) -> None:
        found[name] = text

    monkeypatch.setattr("pytest_rmqha.adapters.allure.attach_text", attach_text)
    return found


class Kept:
    """A stack that writes what a dump writes, or what ``policy`` says of it."""

    def __init__(self, folder: Path, *services: str, policy: str = "on-failure") -> None:
        self.folder, self.names, self.policy = folder, services, policy
        self.dumped: list[tuple[str, str, bool]] = []
        self.known: tuple[str, ...] = ()
        self.asked_since: list[float] = []

    @property
    def engine(self) -> Kept:
        return self

    def services(self) -> tuple[str, ...]:
        return self.names

    def diagnoses(self, since: float) -> tuple[str, ...]:
        self.asked_since.append(since)
        return self.known

    def dump(self, name: str, error: str, *, logs_only: bool = False) -> None:
        self.dumped.append((name, error, logs_only))
        if self.policy != "never":
            keep(self.folder, name, error, *self.names)


def keep(folder: Path, name: str, error: str, *services: str) -> None:
    place = folder / "evidence" / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "error.txt").write_text(error)
    (place / "states.txt").write_text("rmq1 running")
    for service in services:
        (place / f"{service}-log.txt").write_text(f"{service} says\n")


def test_the_error_and_each_members_log_are_attached(tmp_path: Path, report: dict[str, str]) -> None:
    keep(tmp_path, "p", "it broke", "rmq1", "lb1")
    attach(tmp_path, "p")
    assert report == {"error.txt": "it broke", "lb1-log.txt": "lb1 says\n", "rmq1-log.txt": "rmq1 says\n"}


def test_what_was_kept_of_a_green_one_is_not_attached(tmp_path: Path, report: dict[str, str]) -> None:
    keep(tmp_path, "always", "", "rmq1")
    for name in ("always", "nowhere"):
        attach(tmp_path, name)
        assert not is_there(tmp_path, name)
    assert report == {}


def test_a_long_log_is_its_end_and_says_where_the_rest_is() -> None:
    lines = [f"line {number}\n" for number in range(1000)]
    shown = end_of("".join(lines), "evidence/p/rmq1-log.txt").splitlines(keepends=True)
    assert shown[0] == "(the end; 800 lines before it are in evidence/p/rmq1-log.txt)\n"
    assert shown[1:] == lines[-LINES:]
    assert end_of("".join(lines[:LINES]), "x") == "".join(lines[:LINES])
    assert len(end_of("x" * 10 * LONGEST, "x")) < LONGEST + 100


def test_only_a_way_out_that_is_red_attaches(tmp_path: Path, report: dict[str, str]) -> None:
    keep(tmp_path, "p", "of another test with this name", "rmq1")
    with attached(tmp_path, "p"):
        pass
    assert report == {}
    with pytest.raises(KeyboardInterrupt), attached(tmp_path, "p"):
        raise KeyboardInterrupt
    assert "error.txt" in report


def test_a_test_that_is_red_on_a_whole_play_has_it_dumped_once(tmp_path: Path, report: dict[str, str]) -> None:
    stack = Kept(tmp_path, "rmq1")
    for _ in range(2):
        of_play(stack, tmp_path, "p", AssertionError("3 messages are lost"), 0.0)
    [(name, error, logs_only)] = stack.dumped
    assert (name, logs_only) == ("p", False)
    assert "AssertionError: 3 messages are lost" in error
    assert sorted(report) == ["error.txt", "rmq1-log.txt"]


def test_what_the_field_knows_is_said_with_the_red_and_only_once(tmp_path: Path) -> None:
    stack = Kept(tmp_path, "rmq1")
    assert of_play(stack, tmp_path, "p", AssertionError("x"), 7.0) == ""

    stack.known = ("rmq1: a hang", "rmq3: no leader")
    assert (
        of_play(stack, tmp_path, "p", AssertionError("x"), 7.0) == "Known to the field, rmq1: a hang; rmq3: no leader"
    )
    assert of_play(stack, tmp_path, "p", AssertionError("x. Known to the field, rmq1: a hang"), 7.0) == ""
    assert stack.asked_since == [7.0] * 3


def test_where_nothing_may_be_kept_nothing_is_attached(tmp_path: Path, report: dict[str, str]) -> None:
    of_play(Kept(tmp_path, "rmq1", policy="never"), tmp_path, "p", AssertionError("x"), 0.0)
    assert report == {}


@pytest.mark.parametrize(
    ("error", "logs_only"), [(ValueError("x"), False), (KeyboardInterrupt("SIGTERM"), True), (SystemExit(1), True)]
)
def test_of_an_interrupted_bring_up_logs_alone(tmp_path: Path, error: BaseException, logs_only: bool) -> None:
    stack = Kept(tmp_path, "rmq1")
    of_bring_up(stack, tmp_path, error)
    assert stack.dumped == [("bring-up", f"{type(error).__name__}: {error}\n", logs_only)]


def test_before_there_are_containers_there_is_nothing_to_keep(tmp_path: Path) -> None:
    stack = Kept(tmp_path)
    of_bring_up(stack, tmp_path, KeyboardInterrupt())
    assert stack.dumped == []


def test_evidence_that_cannot_be_had_does_not_hide_the_error(tmp_path: Path) -> None:
    class Gone(Kept):
        def services(self) -> tuple[str, ...]:
            raise OSError("the engine is gone")

        def dump(self, name: str, error: str, *, logs_only: bool = False) -> None:
            raise OSError("the disk is full")

    of_bring_up(Gone(tmp_path), tmp_path, ValueError())
    assert of_play(Gone(tmp_path), tmp_path, "p", ValueError(), 0.0) == ""
