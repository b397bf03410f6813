"""What a run was asked to do. One table makes the options, their environment and ini twins, the header and the manual.

Precedence: option ``--rmq-x``, environment ``RMQ_X``, ini ``rmq_x``, default. Each value remembers which it was.
"""

from __future__ import annotations

import os
import random
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pytest_rmqha import data
from pytest_rmqha import setting_values as values
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.run_folder import read_run
from pytest_rmqha.shards import Shard, read_shard

LINES = ("3.8", "3.10", "4.0", "4.3")
PROFILES = ("gate", "nightly")
WHEN = ("never", "on-failure", "always")
DEFAULT = "default"


@dataclass(frozen=True)
class Knob:
    """One row of the table. ``default`` is text like any other value; an empty one means "not set"."""

    name: str
    default: str
    read: values.Reader
    metavar: str
    help: str

    @property
    def option(self) -> str:
        return "--rmq-" + self.name.replace("_", "-")

    @property
    def environment(self) -> str:
        return "RMQ_" + self.name.upper()

    @property
    def ini(self) -> str:
        return "rmq_" + self.name

    @property
    def is_flag(self) -> bool:
        return self.read is values.flag


KNOBS: tuple[Knob, ...] = (
    Knob("topology", "3node", values.topology, "NAME|FILE", "shape of the stack: a shipped one or a compose file"),
    Knob("version", "3.10", values.one_of(*LINES), "LINE", f"RabbitMQ line: {', '.join(LINES)}"),
    Knob("image", "", values.image, "IMAGE", "RabbitMQ image instead of the line's own: your own, or an official one"),
    Knob(
        "balancer_image", "", values.image, "IMAGE", "balancer image (haproxy and keepalived) instead of the line's own"
    ),
    Knob("client_image", "", values.image, "IMAGE", "load client image instead of ours"),
    Knob("toxiproxy_image", "", values.image, "IMAGE", "link proxy image instead of ours"),
    Knob("config", "", values.configuration, "DIR", "folder with the configuration to judge, instead of the reference"),
    Knob("profile", "gate", values.one_of(*PROFILES), "PROFILE", "how much to run: gate or nightly"),
    Knob(
        "seed",
        "",
        values.whole_number,
        "NUMBER",
        "seed of what scenarios draw from Python's random and the fixture rmq_random, begun anew for each test; "
        "drawn and printed when not given",
    ),
    Knob(
        "deadline",
        "",
        values.minutes,
        "MINUTES",
        "end the session after so many minutes as an interrupt does: evidence kept, nothing left standing, exit code 2",
    ),
    Knob(
        "keep", "never", values.one_of(*WHEN), "WHEN", "leave the stack running at the end: never, on-failure, always"
    ),
    Knob("reuse", "", values.run_name, "RUN", "run on the stack that RUN has kept"),
    Knob("reports", "reports", values.folder, "DIR", "folder for results; each run makes its own in it"),
    Knob("budget_scale", "1", values.factor, "FACTOR", "multiplies every budget, for slow machines"),
    Knob(
        "dump",
        "on-failure",
        values.one_of(*WHEN),
        "WHEN",
        "keep logs and states as evidence: always, on-failure, never",
    ),
    Knob("shard", "", read_shard, "I/N", "run part I of N: plays are dealt out so that the parts take about as long"),
    Knob("resume", "", read_run, "RUN", "leave out what RUN (a name in the reports folder, or a path) has settled"),
    Knob("plan", "0", values.flag, "", "list what would run and why the rest would not; needs no docker"),
)


@dataclass(frozen=True)
class Settings:
    """Checked values, one field a knob; ``sources``: name -> "option", "environment RMQ_X", "ini" or "default"."""

    topology: str
    version: str
    image: str | None
    balancer_image: str | None
    client_image: str | None
    toxiproxy_image: str | None
    config: Path | None
    profile: str
    seed: int
    deadline: float | None
    keep: str
    reuse: str | None
    reports: Path
    budget_scale: float
    dump: str
    shard: Shard | None
    resume: str | None
    plan: bool
    sources: Mapping[str, str]

    @property
    def topology_name(self) -> str:
        return Path(self.topology).stem if self.topology_is_own else self.topology

    @property
    def topology_file(self) -> Path:
        return Path(self.topology) if self.topology_is_own else data.topology_file(self.topology)

    @property
    def topology_is_own(self) -> bool:
        """Whether somebody brought the compose file."""
        return self.topology not in data.topologies()

    @property
    def is_reference(self) -> bool:
        """Whether this is our own stack with our own configuration: demonstrations and variants run on no other."""
        return self.config is None and not self.topology_is_own

    def seed_of(self, nodeid: str) -> str:
        """What one test's random numbers begin with: the same in each run with this seed, whatever else runs."""
        return f"{self.seed} {nodeid}"

    def as_dict(self) -> dict[str, dict[str, object]]:
        """name -> value and source, JSON-able, for the manifest."""
        plain: dict[str, dict[str, object]] = {}
        for knob in KNOBS:
            value = getattr(self, knob.name)
            plain[knob.name] = {
                "value": str(value) if isinstance(value, Path | Shard) else value,
                "source": self.sources[knob.name],
            }
        return plain

    def header(self) -> list[str]:
        """Topology and seed always, every other value when it is not the default; each with its source."""
        shown = [
            f"{knob.name} {getattr(self, knob.name)} ({self.sources[knob.name]})"
            for knob in KNOBS
            if knob.name in ("topology", "seed") or self.sources[knob.name] != DEFAULT
        ]
        return ["rmqha: " + ", ".join(shown)]

    def rerun_command(self, arguments: Sequence[str]) -> str:
        """A command line that repeats this run: ``arguments`` as given, the environment's part and the seed."""
        words = [
            f"{knob.environment}={shlex.quote(str(getattr(self, knob.name)))}"
            for knob in KNOBS
            if self.sources[knob.name].startswith("environment") and knob.name != "seed"
        ]
        program = "rmqha run --" if os.environ.get("RMQHA_RUNNER") else "pytest"
        words += [program, *(shlex.quote(argument) for argument in arguments)]
        if self.sources["seed"] != "option":
            words.append(f"--rmq-seed={self.seed}")
        return " ".join(words)


Ask = Callable[[Knob], str | None]


def resolve(
    option: Ask,
    environment: Mapping[str, str],
    ini: Ask,
    *,
    here: Path,
    beside_ini: Path,
    draw: Callable[[], int] | None = None,
) -> Settings:
    """Reads every knob from the first place that sets it; UserInputError for the first bad value."""
    found: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for knob in KNOBS:
        text, source, label = _first(knob, option, environment, ini)
        sources[knob.name] = source
        if knob.name == "seed" and source == DEFAULT:
            found["seed"] = (draw or _draw)()
            continue
        try:
            found[knob.name] = knob.read(text, beside_ini if source == "ini" else here)
        except values.BadValue as bad:
            raise UserInputError(label, text, bad.allowed, bad.remedy) from None
        except OSError as error:
            remedy = f"give this user the right to it: {error.filename}: {error.strerror}"
            raise UserInputError(label, text, "a place that this user can look at", remedy) from None
    assert set(found) | {"sources"} == {field.name for field in fields(Settings)}, "table and dataclass differ"
    return Settings(**found, sources=sources)


def _first(knob: Knob, option: Ask, environment: Mapping[str, str], ini: Ask) -> tuple[str, str, str]:
    """(text, source, what an error calls it)"""
    given = option(knob)
    if given is not None:
        return given, "option", knob.option
    if environment.get(knob.environment):
        return (
            environment[knob.environment].strip(),
            f"environment {knob.environment}",
            f"environment {knob.environment}",
        )
    written = ini(knob)
    if written:
        return written.strip(), "ini", f"ini {knob.ini}"
    return knob.default, DEFAULT, f"default of {knob.option}"


def _draw() -> int:
    return random.SystemRandom().randrange(1, 2**31)
