"""The runner's image: the packages of this environment's plugin, as they are installed here, for another machine's python.

Only sources go in, no compiled part: the three packages that have one (charset-normalizer, PyYAML, wrapt) do without. So
nothing is downloaded, the versions are the ones that are used here, and the processor of a remote engine does not matter.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.images.spec import ImageSpec, _digest, _folder

ROLE, SUITE, PYTHON = "runner", "trixie", "3.13"
OURS = "pytest-rmqha"
THERE: Mapping[str, str] = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_system": "Linux",
    "python_full_version": f"{PYTHON}.0",
    "python_version": PYTHON,
    "sys_platform": "linux",
}
"""What a requirement's marker finds in the runner."""
NEEDED = (
    "allure-pytest",
    "docker",
    "packaging",
    "pika",
    "pytest",
    "PyYAML",
    "requests",
    "testcontainers",
    "toxiproxy-python",
)
"""What the package imports; used where it is not installed itself, as in a checkout on PYTHONPATH."""
COMPILED = (".so", ".pyd", ".dylib", ".pyc")
ADDED_LATER = ("INSTALLER", "REQUESTED", "direct_url.json")


@functools.cache
def runner_spec() -> ImageSpec:
    """UserInputError when a package that the runner needs is not installed here, or has no list of its files."""
    context = _folder(ROLE) | site(packages())
    tag = f"rmqha/{ROLE}:py{PYTHON}-{_digest(context, ROLE, SUITE)}"
    return ImageSpec(ROLE, tag, SUITE, context, None, f"{PYTHON}.")


def packages() -> tuple[Distribution, ...]:
    """What the plugin needs, and of pytest's other plug-ins here those that are sources through and through."""
    found: dict[str, Distribution] = {}
    for requirement in _requirements():
        _add(requirement, found)
    for plugin in distributions():
        if any(entry.group == "pytest11" for entry in plugin.entry_points) and _key(plugin) not in (*found, OURS):
            more: dict[str, Distribution] = {}
            try:
                _add(Requirement(plugin.name), more)
            except UserInputError:
                continue
            if all(key in found or _is_pure(one) for key, one in more.items()):
                found |= more
    return tuple(found[key] for key in sorted(found))


def _requirements() -> list[Requirement]:
    try:
        return [Requirement(text) for text in distribution(OURS).requires or []]
    except PackageNotFoundError:
        return [Requirement(name) for name in NEEDED]


def _add(requirement: Requirement, found: dict[str, Distribution]) -> None:
    """A package and what it needs there."""
    extras = requirement.extras or {""}
    if requirement.marker is not None and not requirement.marker.evaluate(dict(THERE)):
        return
    key = canonicalize_name(requirement.name)
    try:
        package = distribution(requirement.name)
    except PackageNotFoundError:
        raise UserInputError(
            "python package",
            f"{requirement.name}, which is not installed",
            "all that a runner needs",
            "install it here",
        ) from None
    if key in found and not requirement.extras:
        return
    found[key] = package
    for text in package.requires or []:
        needed = Requirement(text)
        if needed.marker is None or any(needed.marker.evaluate({**THERE, "extra": extra}) for extra in extras):
            _add(Requirement(text.partition(";")[0]), found)


def _key(package: Distribution) -> str:
    return canonicalize_name(package.name)


def _is_pure(package: Distribution) -> bool:
    return "Root-Is-Purelib: true" in (package.read_text("WHEEL") or "")


def site(of: Iterable[Distribution]) -> dict[str, bytes]:
    """Place in the build -> content, of every package's sources, data and description; not its programs."""
    found: dict[str, bytes] = {}
    for package in of:
        its = {
            f"site/{file.as_posix()}": Path(str(file.locate()))
            for file in package.files or []
            if ".." not in file.parts and file.suffix not in COMPILED and file.name not in ADDED_LATER
        }
        there = {place: path.read_bytes() for place, path in its.items() if path.is_file()}
        if not any(place.endswith(".py") for place in there):
            raise UserInputError(
                "python package",
                f"{package.name}, which is installed without a list of its files",
                "packages that pip has installed",
                f"install it with pip (pip install --force-reinstall {package.name})",
            )
        found |= there
    return found


def own_description(folder: str) -> dict[str, bytes]:
    """What tells python in the runner, below ``folder``, that the plugin is installed: pytest then finds it by itself."""
    try:
        number = distribution(OURS).version
    except PackageNotFoundError:
        number = "0"
    at = f"{folder}/{OURS.replace('-', '_')}-{number}.dist-info"
    return {
        f"{at}/METADATA": f"Metadata-Version: 2.1\nName: {OURS}\nVersion: {number}\n".encode(),
        f"{at}/entry_points.txt": b"[pytest11]\nrmqha = pytest_rmqha.plugin\n",
    }
