"""``rmqha config``: ``export`` writes the reference to start from, ``check`` looks at a folder without starting a stack."""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from pytest_rmqha.adapters import images as image_store
from pytest_rmqha.adapters.compose import read_config
from pytest_rmqha.adapters.preflight import owner_labels, preflight
from pytest_rmqha.config.definitions import importable
from pytest_rmqha.config.findings import ERROR, UNCHECKED, WARNING, lines
from pytest_rmqha.config.folder import TOPOLOGY_FILE, ConfigFile, check_folder, layered
from pytest_rmqha.config.members import files_of_members
from pytest_rmqha.config.origin import imported_file, left_out, not_judged, origin_lines
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.images.spec import wanted
from pytest_rmqha.opening import configuration_folders
from pytest_rmqha.selection import declared_topology
from pytest_rmqha.settings import KNOBS, LINES, Settings, resolve
from pytest_rmqha.topology import Topology
from pytest_rmqha.topology_reader import from_compose

ROLES = ("broker", "balancer")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("config", help="export the reference configuration, or check a folder of your own")
    acts = parser.add_subparsers(required=True, metavar="ACT")
    export = acts.add_parser("export", help="write the reference configuration into a new or empty folder")
    export.add_argument("folder", metavar="DIR")
    export.set_defaults(run=run_export)
    check = acts.add_parser("check", help="let each program check its files; nothing of the stack is started")
    check.add_argument("folder", metavar="DIR")
    check.add_argument("--topology", default="3node", metavar="NAME|FILE", help="a shipped one or a compose file")
    for role, variable in (("broker", "RMQ_IMAGE"), ("balancer", "RMQ_BALANCER_IMAGE")):
        check.add_argument(
            f"--{role}-image", default=os.environ.get(variable), metavar="IMAGE", help="taken as it is instead of ours"
        )
    check.set_defaults(run=run_check)
    for act in (export, check):
        act.add_argument("--version", default="3.10", metavar="LINE", help=f"RabbitMQ line: {', '.join(LINES)}")


def run_export(arguments: argparse.Namespace) -> int:
    """Always of topology 3node. What members differ in stands in a sub-folder each."""
    settings = _settings(version=arguments.version)
    target = Path(arguments.folder).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserInputError("DIR", target, "a new or an empty folder", "name another place: nothing is overwritten")
    topology = declared_topology(settings, with_docker=False)
    written = exported(configuration_folders(settings), topology)
    try:
        for name, file in written.items():
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
            place.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
    except OSError as error:
        raise UserInputError("DIR", target, "a folder that can be written", f"{error.strerror}") from None
    for name in written:
        print(target / name)
    print(f"next: rmqha config check {target} --version {settings.version}")
    return 0


def exported(folders: list[Path], topology: Topology) -> dict[str, Path]:
    """Where each file goes -> where it is read: at the top if all who have it have the same, else in each one's folder."""
    found: dict[str, Path] = {}
    for role, members in (("broker", topology.brokers), ("balancer", topology.balancers)):
        files = {m.service: layered(folders, m.service, role, m.hostname) for m in members}
        for name in sorted({file.name for its in files.values() for file in its.values()}):
            have = {service: file for service, its in files.items() if (file := _of_name(its, name)) is not None}
            if len(have) == len(members) and len({(f.sha256, f.mode) for f in have.values()}) == 1:
                found[name] = next(iter(have.values())).origin
            else:
                found |= {f"{service}/{name}": file.origin for service, file in have.items()}
    queues = [folder / TOPOLOGY_FILE for folder in folders if (folder / TOPOLOGY_FILE).is_file()]
    return found | ({TOPOLOGY_FILE: queues[-1]} if queues else {})


def _of_name(files: Mapping[str, ConfigFile], name: str) -> ConfigFile | None:
    return next((file for file in files.values() if file.name == name), None)


def run_check(arguments: argparse.Namespace) -> int:
    """0: nothing to say, or warnings only; 1: a program refuses its file; 2: something could not be checked."""
    settings = _settings(version=arguments.version, topology=arguments.topology, config=arguments.folder)
    assert settings.config is not None
    topology = from_compose(read_config(settings.topology_file, {}), settings.topology_name)
    check_folder(settings.config, topology)
    given = {role: getattr(arguments, f"{role}_image") for role in ROLES}
    named = dict(topology.images) | {role: image for role, image in given.items() if image}
    specs = wanted(settings.version, named)
    images = image_store.present([spec for spec in specs if spec.role in ROLES])
    folders = configuration_folders(settings)
    files = files_of_members(topology, folders, settings.config)
    for text in origin_lines(settings.config, files):
        print(text)
    for text in left_out(folders, settings.config, {b.service: files[b.service] for b in topology.brokers}):
        print(text)
    for text in not_judged(settings.config, topology):
        print(text)
    found = preflight(topology, images, files, owner_labels(f"check-{secrets.token_hex(4)}"), settings.version)
    brokers = [files[broker.service] for broker in topology.brokers]
    imported = imported_file(folders, settings.config, brokers)
    found += importable(imported) if imported is not None else []
    for text in lines(found, most=200):
        print(text)
    count = {severity: sum(f.severity == severity for f in found) for severity in (ERROR, WARNING, UNCHECKED)}
    print(
        ", ".join(
            f"{number} {severity}{'s' if number != 1 and severity != UNCHECKED else ''}"
            for severity, number in count.items()
        )
    )
    return 1 if count[ERROR] else 2 if count[UNCHECKED] else 0


def _settings(**given: str) -> Settings:
    """As pytest would read these options, and nothing else; errors speak of this command's own words."""
    known = {knob.option: "DIR" if knob.name == "config" else f"--{knob.name}" for knob in KNOBS}
    if given.get("config") == "":
        raise UserInputError("DIR", "nothing", "a folder", "name the folder with your files")
    here = Path.cwd()
    try:
        return resolve(lambda knob: given.get(knob.name), {}, lambda _: None, here=here, beside_ini=here)
    except UserInputError as error:
        raise UserInputError(known.get(error.what, error.what), error.got, error.allowed, error.remedy) from None
