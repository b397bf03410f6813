"""A run's containers in memory. Import it as ``tests.unit.fakes``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pytest_rmqha.errors import ToolFailed


@dataclass(frozen=True)
class Answer:
    code: int = 0
    out: str = ""
    err: str = ""


ENDING = ("SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP")


class FakeContainers:
    """Service -> docker's word for its state. ``says`` answers commands; ``done`` is what was asked for, in order; who is
    ``deaf`` ends by a SIGKILL only.

    It refuses what the engine refuses: tests/contract holds both to the same.
    """

    def __init__(self, *services: str) -> None:
        self.states = dict.fromkeys(services, "running")
        self.says: Callable[[str, tuple[str, ...]], Answer] = lambda _service, _command: Answer()
        self.done: list[str] = []
        self.lines: dict[str, list[str]] = {}
        self.deaf: set[str] = set()
        self.codes: dict[str, int] = {}

    def _becomes(self, verb: str, service: str, state: str) -> None:
        if self.states.get(service) == "paused" and verb == "start":
            raise ToolFailed(f"start {service}: it is paused")
        self.state(service)
        self.done.append(f"{verb} {service}")
        self.states[service] = state

    def _running(self, service: str, what: str) -> None:
        if self.state(service) != "running":
            raise ToolFailed(f"{what} {service}: it is {self.states[service]}")

    def state(self, service: str) -> str:
        if service not in self.states:
            raise ToolFailed(f"no service {service!r}")
        return self.states[service]

    def kill(self, service: str, signal: str = "SIGKILL") -> None:
        self._becomes("kill", service, "exited" if signal in ENDING else self.state(service))
        self.codes[service] = 137 if signal == "SIGKILL" else 0

    def stop(self, service: str, grace: float = 30) -> None:
        self._becomes("stop", service, "exited")
        self.codes[service] = 137 if service in self.deaf else 0

    def start(self, service: str) -> None:
        self._becomes("start", service, "running")
        self.codes.pop(service, None)

    def exit_code(self, service: str) -> int:
        self.state(service)
        return self.codes.get(service, 0)

    def pause(self, service: str) -> None:
        self._running(service, "pause")
        self._becomes("pause", service, "paused")

    def unpause(self, service: str) -> None:
        if self.state(service) == "paused":
            self._becomes("unpause", service, "running")

    def exec(self, service: str, *command: str, user: str = "") -> Answer:
        self._running(service, "exec in")
        return self.says(service, command)

    def must(self, service: str, *command: str, user: str = "") -> str:
        self._running(service, "exec in")
        self.done.append(f"{service}: {' '.join(command)}")
        answer = self.says(service, command)
        if answer.code != 0:
            raise ToolFailed(f"{' '.join(command)} ended with {answer.code}: {answer.err or answer.out}")
        return answer.out

    def logs(self, service: str, tail: int = 5000) -> str:
        self.state(service)
        return "".join(f"{line}\n" for line in self.lines.get(service, [])[-tail:])
