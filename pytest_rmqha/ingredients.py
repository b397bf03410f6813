"""What a run's stack stood on, as its manifest has it: images and programs. Two runs on other ones are not of one thing.

Machines that build the same image give it different ids, so the tags of images are compared: ours end with a digest of
what they are built from. Any other tag may stand for something else on the next machine or the next day: there the ids
count, too. What ran inside is compared by the programs' own versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pytest_rmqha.images.spec import wanted
from pytest_rmqha.opening import image_overrides
from pytest_rmqha.runs import Manifest
from pytest_rmqha.settings import Settings
from pytest_rmqha.topology import Topology

ASKED, IMAGES, TAGS, STACK, MADE_OF = "images_asked", "images", "image_tags", "stack", "made_of"
OF_A_STACK, SETTLED_ON = (IMAGES, TAGS, STACK, MADE_OF), "settled_on"
PROGRAMS = ("rabbitmq", "erlang", "haproxy", "keepalived", "toxiproxy")
TAG_OF_OURS = re.compile(r"rmqha/[a-z]+:\S+-[0-9a-f]{12}")

Row = tuple[str, object, object]
"""What it is, how it is in the first run, how in the other."""


def asked(settings: Settings, topology: Topology) -> dict[str, str]:
    """role -> the tag of the image that a session with these settings takes. Known without an engine."""
    return {spec.role: spec.tag for spec in wanted(settings.version, image_overrides(settings, topology))}


def noted(manifest: Manifest, key: str) -> Mapping[str, Any]:
    found = manifest.get(key)
    return found if isinstance(found, Mapping) else {}


def taken_over(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """What the verdicts of that run rest on, for the manifest of a run that takes them over: its own stack may never stand.

    Of a run that took some over itself it is what those rest on: its own stack is made of the same, or it was refused.
    """
    before = noted(manifest, SETTLED_ON)
    return {key: before.get(key) or found for key in OF_A_STACK if (found := noted(manifest, key)) or before.get(key)}


def compared(first: Manifest, other: Manifest) -> list[Row]:
    """Of a run whose stack never stood there is nothing: it has no verdict that could be of another one."""
    return [*_compared_images(first, other), *_compared_programs(first, other), *_compared_compose(first, other)]


def compared_asked(first: Mapping[str, Any], other: Mapping[str, Any]) -> list[Row]:
    """The tags of each role that both have."""
    return [(f"the {role} image", first[role], other[role]) for role in first if role in other]


def _compared_images(first: Manifest, other: Manifest) -> list[Row]:
    """Tags of the members that both had, and the ids where a tag does not name its content; those alike in one row."""
    here, there = noted(first, TAGS), noted(other, TAGS)
    ids_here, ids_there = noted(first, IMAGES), noted(other, IMAGES)
    said = {True: "noted", False: "not noted"}
    rows: list[Row] = []
    if ids_here and ids_there:
        rows.append(("the tags of the images", said[bool(here)], said[bool(there)]))
    members: dict[Row, list[str]] = {}
    for service in sorted(here.keys() & there.keys()):
        members.setdefault(("the image", here[service], there[service]), []).append(service)
    for service in sorted(ids_here.keys() & ids_there.keys()):
        if not all(TAG_OF_OURS.fullmatch(str(tags.get(service, ""))) for tags in (here, there)):
            members.setdefault(("the image id", ids_here[service], ids_there[service]), []).append(service)
    return rows + [(f"{what} of {', '.join(names)}", a, b) for (what, a, b), names in members.items()]


def _compared_compose(first: Manifest, other: Manifest) -> list[Row]:
    """What ``docker compose config`` made of the members, with all that their file includes and that variables fill in."""
    here, there = noted(first, MADE_OF), noted(other, MADE_OF)
    return [("the compose file with what it includes", here[k], there[k]) for k in here.keys() & there.keys()]


def _compared_programs(first: Manifest, other: Manifest) -> list[Row]:
    """Versions that the programs of both stacks told of themselves."""
    here, there = noted(first, STACK), noted(other, STACK)
    return [(name, here[name], there[name]) for name in PROGRAMS if name in here and name in there]
