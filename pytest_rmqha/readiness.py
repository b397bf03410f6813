"""Everything that would make a run impossible, asked before anything is made. Each refusal is one UserInputError."""

from __future__ import annotations

from pytest_rmqha.adapters import images, reachable
from pytest_rmqha.config.distribution import refuse_another_port
from pytest_rmqha.config.folder import check_folder, layered
from pytest_rmqha.config.override import DISTRIBUTION_PORTS, refuse_without_room
from pytest_rmqha.images.spec import wanted
from pytest_rmqha.opening import configuration_folders, image_overrides
from pytest_rmqha.reports_place import refuse_unwritable
from pytest_rmqha.settings import Settings
from pytest_rmqha.topology import Topology


def refuse_files(settings: Settings, topology: Topology) -> None:
    """What files alone tell, without an engine: the subnet's room, whose the folders of the configuration are, and the port
    of the links.
    """
    refuse_without_room(topology)
    if settings.config is not None:
        check_folder(settings.config, topology)
    if topology.links:
        folders = configuration_folders(settings)
        for broker in topology.brokers:
            files = layered(folders, broker.service, "broker", broker.hostname, settings.config)
            refuse_another_port(files.values(), DISTRIBUTION_PORTS["dist"])


def refuse_machine(settings: Settings, topology: Topology) -> None:
    """What a real stack needs: room for its evidence, an engine that can be worked with, its images. Only looks."""
    refuse_unwritable(settings.reports)
    reachable.require_engine()
    found = images.present(wanted(settings.version, image_overrides(settings, topology)))
    images.check_line(found["broker"], settings.version)
