"""A command run as on another machine: its own folder, environment, user and mounts, forked from a server that has imported
everything once. It is the real pytest and the real ``rmqha``, in a process of their own.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _pytest.config import default_plugins

NOBODY = 65534
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 1 << 18
PRELOADED = (
    "pytest",
    *(f"_pytest.{name}" for name in default_plugins),
    *(f"pytest_rmqha.{name}" for name in ("plugin", "scenario_lease", "fixtures", "cli", "readiness")),
)
PLUGIN_FOLDERS = tuple(
    Path(place) / "docker/cli-plugins" for place in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
)
Change = Callable[[], None]

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload([*PRELOADED, __name__])


@dataclass(frozen=True)
class Said:
    """Exit code and output of one command."""

    code: int | None
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def run(command: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *changes: Change) -> Said:
    """``command``: pytest or rmqha. ``changes`` are made in the new process, in this order, before it begins."""
    with tempfile.TemporaryDirectory(prefix="rmqha-said-") as place:
        out, err = Path(place) / "out", Path(place) / "err"
        process = _server.Process(
            target=_begin, args=(command, list(arguments), folder, dict(environment), changes, out, err)
        )
        process.start()
        process.join(60)
        if process.is_alive():
            process.kill()
            process.join()
        return Said(process.exitcode, out.read_text(errors="replace"), err.read_text(errors="replace"))


def _begin(
    command: str,
    arguments: list[str],
    folder: Path,
    environment: dict[str, str],
    changes: Sequence[Change],
    out: Path,
    err: Path,
) -> None:
    for descriptor, file in ((1, out), (2, err)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for change in changes:
        change()
    code = _main(command, arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _main(command: str, arguments: list[str]) -> int:
    import pytest

    from pytest_rmqha import cli

    if command == "pytest":
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # ours is the one that speaks
        alone = ["-p", "pytest_rmqha.plugin", "-p", "no:cacheprovider"]
        return int(pytest.main([*alone, "-W", "ignore::pytest.PytestAssertRewriteWarning", *arguments]))
    try:
        return cli.main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


def compose_plugin() -> Path | None:
    """The folder with the compose plug-in of this machine's docker client."""
    homes = [Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins", *PLUGIN_FOLDERS]
    return next((home.resolve() for home in homes if (home / "docker-compose").exists()), None)


def is_for_everybody() -> bool:
    """Whether the compose plug-in stands where every client finds it, whatever its configuration says."""
    return any((place / "docker-compose").exists() for place in PLUGIN_FOLDERS)


def become_nobody() -> None:
    """Give up being root. What is needed to go on and lies in somebody's private folder is lent to everybody first."""
    needed = [Path(sys.base_prefix), *filter(None, [compose_plugin()])]
    hidden = [place for place in needed if _private_ancestor(place) is not None]
    if hidden:
        own_mounts()
        _lend(hidden)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _private_ancestor(place: Path) -> Path | None:
    return next((one for one in reversed(place.parents) if not one.stat().st_mode & 0o001), None)


def _lend(hidden: Sequence[Path]) -> None:
    """An open folder instead of each private one, with nothing in it but what is lent; seen by this process alone."""
    shelf = Path("/media")
    mount("tmpfs", shelf, "tmpfs", data="mode=755")
    kept: list[tuple[Path, Path]] = []
    for number, place in enumerate(hidden):
        (shelf / str(number)).mkdir()
        mount(str(place), shelf / str(number), flags=MS_BIND | MS_REC)
        kept.append((shelf / str(number), place))
    for ancestor in {found for place in hidden if (found := _private_ancestor(place)) is not None}:
        mount("tmpfs", ancestor, "tmpfs", data="mode=755")
    for lent, place in kept:
        place.mkdir(parents=True, exist_ok=True)
        mount(str(lent), place, flags=MS_BIND | MS_REC)


def own_mounts() -> None:
    """From here on mounts are this process's own: they end with it and nobody else sees them."""
    _must(_libc().unshare(CLONE_NEWNS), "unshare")
    mount("none", Path("/"), flags=MS_REC | MS_PRIVATE)


def mount(source: str, target: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    code = _libc().mount(source.encode(), str(target).encode(), kind.encode() or None, flags, data.encode() or None)
    _must(code, f"mount {target}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _must(code: int, what: str) -> None:
    if code != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def small_disk(place: Path, size: str) -> None:
    own_mounts()
    mount("tmpfs", place, "tmpfs", data=f"size={size},mode=777")


def read_only_disk(place: Path) -> None:
    own_mounts()
    mount("tmpfs", place, "tmpfs", flags=1)


def mounts_are_allowed() -> bool:
    """Tried in a process of its own."""
    return _allowed(own_mounts)


def nobody_can_be_had() -> bool:
    return _allowed(become_nobody)


def _allowed(change: Change) -> bool:
    if os.geteuid() != 0 or shutil.which("docker") is None:
        return False
    process = _server.Process(target=_try, args=(change,))
    process.start()
    process.join(30)
    return process.exitcode == 0


def _try(change: Change) -> None:
    try:
        change()
    except OSError:
        os._exit(1)
    os._exit(0)


def small_files() -> None:
    """No file of this process may grow beyond 4 KiB: what a full disk says where nothing can be mounted."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
