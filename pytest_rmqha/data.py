"""Where the shipped topologies and scenarios are: beside the package in a checkout, in its data folder in a wheel."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def _folder(name: str) -> Path:
    package = Path(str(files("pytest_rmqha")))
    shipped = package / "data" / name
    return shipped if shipped.is_dir() else package.parent / name


def compose_folder() -> Path:
    """Topologies, the reference configuration and the images' build folders."""
    return _folder("compose")


def suites_folder() -> Path:
    """The scenarios, one file per chapter."""
    return _folder("suites")


def topologies() -> tuple[str, ...]:
    """Names that ``--rmq-topology`` knows, in alphabetical order."""
    return tuple(sorted(path.stem for path in compose_folder().glob("*.yaml")))


def topology_file(name: str) -> Path:
    """The compose file of a shipped topology; the caller has checked the name."""
    return compose_folder() / f"{name}.yaml"


def variants() -> tuple[str, ...]:
    """Names that ``rmq_variant`` knows: folders with the few files of the reference that differ."""
    return tuple(sorted(path.name for path in (compose_folder() / "variants").glob("*") if path.is_dir()))


def variant_folder(name: str) -> Path:
    """The folder of a shipped variant; the caller has checked the name."""
    return compose_folder() / "variants" / name
