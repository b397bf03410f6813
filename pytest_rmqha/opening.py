"""A stack as the settings ask for it: its images, its folders of configuration, its own place on the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_rmqha import data
from pytest_rmqha.adapters import bring_up, keeping, leftovers
from pytest_rmqha.adapters import images as image_store
from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.adapters.preflight import preflight
from pytest_rmqha.adapters.run_secrets import Secrets
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.adapters.versions import image_tags
from pytest_rmqha.config.definitions import importable
from pytest_rmqha.config.findings import refuse
from pytest_rmqha.config.folder import check_folder, digests
from pytest_rmqha.images.spec import wanted
from pytest_rmqha.settings import Settings
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.topology import Topology


def image_overrides(settings: Settings, topology: Topology) -> dict[str, str]:
    """role -> image, of those that were named: by an option, or else by the compose file."""
    return dict(topology.images) | _images_named(settings)


def images_stated(settings: Settings, topology: Topology) -> list[tuple[str, str]]:
    """(role, image) of those that are taken from the compose file."""
    return [(role, image) for role, image in topology.images if role not in _images_named(settings)]


def _images_named(settings: Settings) -> dict[str, str]:
    named = {
        "broker": settings.image,
        "balancer": settings.balancer_image,
        "client": settings.client_image,
        "toxiproxy": settings.toxiproxy_image,
    }
    return {role: image for role, image in named.items() if image}


def configuration_folders(settings: Settings) -> list[Path]:
    """What is read for each member, later ones winning: the reference, the line's, the topology's, the user's."""
    shipped = data.compose_folder()
    folders = [
        shipped / "reference",
        *(shipped / name for name in (f"lines/{settings.version}", settings.topology_name)),
    ]
    return [*folders, settings.config] if settings.config is not None else folders


def make_stack(
    settings: Settings, topology: Topology, run: str, reports: Path, say: Callable[[str], None] = lambda _: None
) -> Stack:
    """The stack, not yet up: images are there or UserInputError; what dead runs left is swept.

    With ``--rmq-reuse`` it is the kept run's stack, with the secrets that stand in its containers.
    """
    if settings.config is not None:
        check_folder(settings.config, topology)
    images = image_store.present(wanted(settings.version, image_overrides(settings, topology)))
    image_store.check_line(images["broker"], settings.version)
    leftovers.sweep(say)
    name, secrets = run, Secrets()
    if settings.reuse:
        name = settings.reuse
        if name in keeping.kept_runs():
            secrets = keeping.secrets_of(Engine(name), topology)
    return Stack(
        run=name,
        topology=topology,
        images=images,
        folders=configuration_folders(settings),
        compose_file=settings.topology_file,
        reports=reports,
        timeline=Timeline(),
        secrets=secrets,
        dump_policy=settings.dump,
        own=settings.config,
    )


def checked(stack: Stack, settings: Settings) -> list[str]:
    """What the programs' own checkers say of somebody's files, a line a finding; UserInputError where one refuses its file.

    Nothing of the stack is started yet; the checkers run in containers of their own (about 3 s).
    """
    if settings.config is None or settings.reuse:
        return []
    bring_up.refuse_clash(stack)
    labels = stack.engine.helper_labels
    found = preflight(stack.topology, stack.images, stack.config_files, labels, settings.version)
    found += importable(stack.imported) if stack.imported is not None else []
    refuse(found)
    return [str(finding) for finding in found]


def facts_of_files(stack: Stack) -> dict[str, object]:
    """For the manifest, whether the stack comes up or not: SHA-256s of its files."""
    facts: dict[str, object] = {
        "config_sha256": {member: digests(files) for member, files in stack.config_files.items()}
    }
    if stack.imported is not None:
        facts["imported_sha256"] = {stack.imported.name: stack.imported.sha256}
    return facts


def facts_of(stack: Stack) -> dict[str, object]:
    """For the manifest, once the stack stands: where the bring-up's time went, and its images."""
    return {
        "bring_up": {label: round(took, 1) for label, took in stack.took.items()},
        "images": dict(stack.engine.image_digests()),
        "image_tags": dict(image_tags(stack.engine)),
        "made_of": {"compose": stack.compose_digest},
    }


def stand_up(stack: Stack, settings: Settings) -> None:
    """Steady state, of a new stack or of the kept one."""
    if settings.reuse:
        keeping.attach(stack)
    else:
        stack.up()
