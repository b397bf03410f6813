"""The images of a run as data: names carry a digest of everything that goes in, so that a stale one is never taken."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import files, version
from pathlib import Path

from pytest_rmqha import data
from pytest_rmqha.errors import ToolFailed, UserInputError

TOXIPROXY = "2.12.0"
TOXIPROXY_MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{TOXIPROXY}"
TOXIPROXY_IMAGE = f"ghcr.io/shopify/toxiproxy:{TOXIPROXY}"
ROLES = ("broker", "balancer", "toxiproxy", "client")
EXPIRED = ("forky",)


@dataclass(frozen=True)
class Line:
    """A RabbitMQ line and the Debian suite whose packages carry it (haproxy and keepalived of the same suite)."""

    name: str
    suite: str
    haproxy: str


LINES: Mapping[str, Line] = {
    line.name: line
    for line in (
        Line("3.8", "bullseye", "2.2"),
        Line("3.10", "bookworm", "2.6"),
        Line("4.0", "trixie", "3.0"),
        Line("4.3", "forky", "3.2"),
    )
}


@dataclass(frozen=True)
class ImageSpec:
    """One image. ``override``: somebody's own, taken as it is. ``context``: file in the build -> content.

    ``version``: how the version of its main program begins; None where anything will do.
    """

    role: str
    tag: str
    suite: str
    context: Mapping[str, bytes]
    override: str | None = None
    version: str | None = None

    @property
    def base(self) -> str | None:
        return None if self.role == "toxiproxy" else f"debian:{self.suite}-slim"

    @property
    def own_base(self) -> str:
        """What a base that was made from packages is called."""
        return f"rmqha/base:{self.suite}"

    @property
    def apt_options(self) -> str:
        """forky's release file has expired on mirrors that stand still."""
        return "-o Acquire::Check-Valid-Until=false" if self.suite in EXPIRED else ""


def line(name: str) -> Line:
    if name not in LINES:
        raise UserInputError(
            "RabbitMQ line", name, ", ".join(LINES), "choose one of them, or bring an image of your own"
        )
    return LINES[name]


def line_for(version_found: str) -> str | None:
    """The line that a RabbitMQ version is judged as: the newest that is not newer. None: older than all, or no version."""
    number = _number(version_found)
    fitting = [name for name in LINES if number and _number(name) <= number]
    return max(fitting, key=_number) if fitting else None


def _number(text: str) -> tuple[int, ...]:
    """Major and minor; empty where there are none."""
    parts = text.split(".")[:2]
    return tuple(int(part) for part in parts) if len(parts) == 2 and all(part.isdigit() for part in parts) else ()


def _digest(context: Mapping[str, bytes], *arguments: str) -> str:
    summed = hashlib.sha256("\0".join(arguments).encode())
    for name in sorted(context):
        summed.update(name.encode() + b"\0" + hashlib.sha256(context[name]).digest())
    return summed.hexdigest()[:12]


def _folder(role: str) -> dict[str, bytes]:
    folder = data.compose_folder() / "images" / role
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


def _client_context() -> dict[str, bytes]:
    """The client program, and pika as it is installed here: nothing is downloaded for it."""
    context = _folder("client")
    here = Path(__file__).parent.parent / "client"
    context.update({f"client/{p.name}": p.read_bytes() for p in sorted(here.glob("*.py"))})
    library = {
        f"site/{file.as_posix()}": Path(str(file.locate())).read_bytes()
        for file in files("pika") or []
        if file.parts[0] == "pika" and file.suffix == ".py"
    }
    if not library:
        raise ToolFailed("pika is installed here without a list of its files: install it with pip, then try again")
    return context | library


def wanted(version_line: str, overrides: Mapping[str, str]) -> tuple[ImageSpec, ...]:
    """The four images of a line; ``overrides``: role -> image to take instead, exactly that."""
    unknown = sorted(set(overrides) - set(ROLES))
    if unknown:
        raise UserInputError("image for a role", ", ".join(unknown), ", ".join(ROLES), "name one of these roles")
    of_line = line(version_line)
    names = {
        "broker": version_line,
        "balancer": of_line.suite,
        "toxiproxy": TOXIPROXY,
        "client": f"pika{version('pika')}",
    }
    versions = {"broker": f"{version_line}.", "balancer": f"{of_line.haproxy}.", "toxiproxy": TOXIPROXY}
    specs = []
    for role in ROLES:
        suite = of_line.suite if role in ("broker", "balancer") else "bookworm"
        own = overrides.get(role)
        if own:
            specs.append(ImageSpec(role, own, suite, {}, own))
            continue
        context = _client_context() if role == "client" else _folder(role)
        digest = _digest(context, role, TOXIPROXY if role == "toxiproxy" else suite)
        tag = f"rmqha/{role}:{names[role]}-{digest}"
        specs.append(ImageSpec(role, tag, suite, context, None, versions.get(role)))
    return tuple(specs)
