"""``--rmq-resume=RUN``: what an earlier run has settled is left out, if it was a run of the same thing by the same code.

Passed is settled. FAILED is settled, too: a verdict is never retried, so the session stays red whatever else it sees.
What had no verdict (undecided, the harness failed, not reached) runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version

from pytest_rmqha import code_digest, ingredients
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.run_folder import folder_of
from pytest_rmqha.runs import Manifest, left_out_of, manifest_of, records_of, setting
from pytest_rmqha.session_report import FAILED, PASSED
from pytest_rmqha.settings import DEFAULT, Settings

OPTION = "--rmq-resume"
DIGEST = "config_digest"
CODE = "code_sha256"
SAME = (
    *("topology", "version", "image", "balancer_image", "client_image", "toxiproxy_image"),
    *("profile", "budget_scale", "seed"),
)
STATES = {PASSED: "passed already in ", FAILED: "FAILED already in "}


@dataclass(frozen=True)
class Resumed:
    """``settled``: node id -> why it is not run again. ``red``: those of them that failed, with their ids.

    ``owed``: what it had chosen and not settled: a session that resumes it runs all of that, or is not green.
    """

    run: str
    settled: Mapping[str, str] = field(default_factory=dict)
    red: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owed: frozenset[str] = frozenset()

    def lines(self) -> list[str]:
        names = dict.fromkeys(name for ids in self.red.values() for name in ids)
        return [f"RED already in {self.run}, a verdict is never retried: {' '.join(names)}"] if names else []


def is_settled(reason: str) -> str | None:
    """The run that a reason of ours names, or None for another reason."""
    return next(
        (reason.removeprefix(said).partition(":")[0] for said in STATES.values() if reason.startswith(said)), None
    )


def earlier(settings: Settings) -> Manifest | None:
    if settings.resume is None:
        return None
    return manifest_of(folder_of(settings.resume, settings.reports), asked_by=OPTION)


def with_its_seed(settings: Settings, manifest: Manifest | None) -> Settings:
    """The same campaign goes on: a seed that nobody stated is that of the run that is resumed."""
    if manifest is None or settings.sources["seed"] != DEFAULT:
        return settings
    sources = {**settings.sources, "seed": f"resumed from {manifest['run']}"}
    return replace(settings, seed=int(manifest["seed"]), sources=sources)


def resumed(
    manifest: Manifest, settings: Settings, digest: str, code: Mapping[str, str], images: Mapping[str, str]
) -> Resumed:
    """What the run has settled, and what the runs that it resumed itself had. UserInputError if it was another thing."""
    name = str(manifest["run"])
    other = differences(manifest, settings, digest, code, images)
    if other:
        raise UserInputError(
            OPTION,
            name,
            "a run of the same stack, images, configuration, profile, seed, tests and version of this package",
            f"give this session what {name} had, or run without {OPTION}: {'; '.join(other)}",
        )
    settled: dict[str, str] = {}
    red: dict[str, tuple[str, ...]] = {}
    not_reached = frozenset(manifest.get("not_reached", ()))
    for record in records_of(manifest):
        if record.outcome == PASSED and record.nodeid not in not_reached:  # in a merge another shard may have passed it
            settled[record.nodeid] = STATES[PASSED] + name
        elif record.outcome == FAILED:
            settled[record.nodeid] = f"{STATES[FAILED]}{name}: a verdict is never retried"
            red[record.nodeid] = record.ids
    for one in left_out_of(manifest):
        if one.reason.startswith(STATES[FAILED]):
            settled[one.nodeid] = one.reason
            red[one.nodeid] = one.ids
        elif is_settled(one.reason):
            settled.setdefault(one.nodeid, one.reason)
    owed = {*not_reached, *(record.nodeid for record in records_of(manifest))} - settled.keys()
    return Resumed(name, settled, red, frozenset(owed))


def differences(
    manifest: Manifest, settings: Settings, digest: str, code: Mapping[str, str], images: Mapping[str, str]
) -> list[str]:
    """A sentence for each thing that is not as it was in that run. ``images``: role -> tag, as this session takes them."""
    here = settings.as_dict()
    found = [
        f"{name} was {setting(manifest, name)}, here {here[name]['value']}"
        for name in SAME
        if setting(manifest, name) != here[name]["value"]
    ]
    if manifest.get(DIGEST) != digest:
        found.append("the configuration files differ" if manifest.get(DIGEST) else "it noted no digest of its files")
    if (was := manifest.get("versions", {}).get("pytest-rmqha")) != our_version():
        found.append(f"pytest-rmqha was {was}, here {our_version()}")
    noted = manifest.get(CODE)
    if not isinstance(noted, Mapping):
        found.append("it noted no digest of its code")
    elif edited := code_digest.changed(noted, code):
        found.append(f"the code differs: {code_digest.told(edited)}")
    taken = ingredients.noted(manifest, ingredients.ASKED)
    found += [] if taken else ["it noted no images"]
    return found + _told(ingredients.compared_asked(taken, images))


def refuse_another_stack(manifest: Manifest, here: Mapping[str, object]) -> None:
    """UserInputError when the stack that stands now is not made of what that run's was: a tag may stand for another image.

    ``here``: the facts of this run, as its manifest will have them.
    """
    taken_over = ingredients.noted(manifest, ingredients.SETTLED_ON)
    if other := _told([*ingredients.compared(manifest, here), *ingredients.compared(taken_over, here)]):
        raise UserInputError(
            OPTION,
            str(manifest["run"]),
            "a run whose stack had the same images and programs",
            f"bring back the images of that run, or run without {OPTION}: {'; '.join(dict.fromkeys(other))}",
        )


def _told(rows: Iterable[ingredients.Row]) -> list[str]:
    return [f"{what} was {was}, here {here}" for what, was, here in rows if was != here]


def our_version() -> str:
    try:
        return version("pytest-rmqha")
    except PackageNotFoundError:
        return "not installed"
