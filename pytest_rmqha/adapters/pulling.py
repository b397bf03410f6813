"""Pulls with one try: a registry that hangs or can't be reached costs its limit once, and this process asks it no more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import docker
import docker.errors
import requests
import urllib3
from docker.utils import kwargs_from_env

from pytest_rmqha.images.registry import is_of_this_image_alone, name_and_tag, registry_of, through

Say = Callable[[str], None]
STILL_FOR = 20.0
SAY_EVERY = 5.0
_given_up: dict[str, str] = {}


class _LimitedClient(docker.APIClient):
    """The SDK asks for a pull without any time limit; this one keeps the client's own between any two bytes."""

    def post(self, url: str | bytes, *arguments: Any, **options: Any) -> requests.Response:
        options["timeout"] = options.get("timeout") or self.timeout
        return super().post(url, *arguments, **options)


class NotPulled(Exception):
    """The registry's or the engine's own words."""


class Puller:
    """``still_for``: seconds without progress after which a pull is given up. A slow one that moves may take its time.

    ``given_up``: registry -> why; shared by the whole process unless one is given.
    """

    def __init__(
        self,
        registry: str | None,
        say: Say,
        still_for: float = STILL_FOR,
        given_up: MutableMapping[str, str] | None = None,
    ) -> None:
        self.registry, self.say, self.still_for = registry, say, still_for
        self.given_up = _given_up if given_up is None else given_up

    def name(self, image: str) -> str:
        return through(self.registry, image)

    def pull(self, image: str, *, exactly: bool = False) -> str | None:
        """The pulled name, or None with the reason said."""
        name = image if exactly else self.name(image)
        host = registry_of(name)
        if host in self.given_up:
            self.say(f"{name} is not pulled: {host} gave no image before ({self.given_up[host]})")
            return None
        began = time.monotonic()
        try:
            self._pull(name)
        except NotPulled as refusal:
            why = " ".join(str(refusal).split())[-160:]
            if not is_of_this_image_alone(str(refusal)):
                self.given_up[host] = why
            self.say(f"can't pull {name} ({why})")
            return None
        self.say(f"pulled {name} in {time.monotonic() - began:.0f} s")
        return name

    def _pull(self, name: str) -> None:
        repository, tag = name_and_tag(name)
        try:
            client = _LimitedClient(version="auto", timeout=int(self.still_for), **kwargs_from_env())
        except docker.errors.DockerException as error:
            raise NotPulled(str(error)) from None
        said = time.monotonic()
        try:
            for event in self._moving(client.pull(repository, tag=tag, stream=True, decode=True)):
                if time.monotonic() - said > SAY_EVERY:
                    said = time.monotonic()
                    self.say(f"pulling {name}: {event.get('status', '')} {event.get('progress', '')}".rstrip())
            client.inspect_image(name)  # type: ignore[no-untyped-call]
        except docker.errors.APIError as error:
            raise NotPulled(str(error.explanation or error)) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if "timed out" in str(error).lower() or isinstance(error, TimeoutError):
                raise NotPulled(f"timeout: nothing moved for {self.still_for:.0f} s") from None
            raise NotPulled(str(error)) from None
        finally:
            client.close()  # the engine gives up a pull whose asker is gone

    def _moving(self, events: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The events, as long as they tell of progress: a wait or another retry is none."""
        last: dict[str, object] = {}
        moved = time.monotonic()
        for event in events:
            if "error" in event:
                raise NotPulled(str(event["error"]))
            status = str(event.get("status", ""))
            state = (status, (event.get("progressDetail") or {}).get("current"))
            if not status.startswith(("Retrying", "Waiting")) and last.get(str(event.get("id"))) != state:
                last[str(event.get("id"))], moved = state, time.monotonic()
            elif time.monotonic() - moved > self.still_for:
                raise NotPulled(f"timeout: nothing moved for {self.still_for:.0f} s ({status})")
            yield event
