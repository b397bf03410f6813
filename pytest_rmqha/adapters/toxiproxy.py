"""The toxiproxy server of a run, through toxiproxy-python where it is honest and read back where it is not.

toxiproxy-python 0.1.1 keeps one class-level endpoint, has no time-outs and hides failures: with the API answering 500,
``disable()`` raises nothing and says that it is disabled. So every change here is read back from the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import requests
from toxiproxy.api import APIConsumer

from pytest_rmqha.adapters import http
from pytest_rmqha.errors import ToolFailed

CLOSED = "closed:"
"""Before the upstream of a proxy that ``close`` has closed. Nobody dials that, for it is disabled; whoever opens it takes it off."""


class Proxies:
    """All proxies of one server at ``host``:8474. A proxy that does not show what was asked of it raises ToolFailed."""

    def __init__(self, host: str, port: int = 8474, timeout: float = 3) -> None:
        APIConsumer.host, APIConsumer.port = host, port
        self.base = f"http://{host}:{port}"
        self.timeout = timeout

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        try:
            answer = http.ask(method, f"{self.base}{path}", json=body, timeout=self.timeout)
        except requests.RequestException as error:
            raise ToolFailed(f"toxiproxy: {method} {path}: {type(error).__name__}") from error
        if answer.status_code >= 400 and not (method == "DELETE" and answer.status_code == 404):
            raise ToolFailed(f"toxiproxy: {method} {path}: {answer.status_code} {answer.text[:200]}")
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise ToolFailed(f"toxiproxy: {method} {path}: no JSON: {answer.text[:200]!r}") from error

    def version(self) -> str:
        answer = self._ask("GET", "/version")
        return str(answer["version"] if isinstance(answer, dict) else answer)

    def populate(self, proxies: Sequence[Mapping[str, Any]]) -> None:
        """``proxies``: name, listen, upstream, enabled. All in one call; each is read back."""
        self._ask("POST", "/populate", [dict(p) for p in proxies])
        there = self._ask("GET", "/proxies")
        missing = [p["name"] for p in proxies if p["name"] not in there]
        if missing:
            raise ToolFailed(f"toxiproxy did not make {missing}")

    def read(self, name: str) -> Mapping[str, Any]:
        return self._ask("GET", f"/proxies/{name}")  # type: ignore[no-any-return]

    def create(self, name: str, *, listen: str, upstream: str) -> None:
        """A proxy of that name, made anew if there is one."""
        self.delete(name)
        self.populate([{"name": name, "listen": listen, "upstream": upstream, "enabled": True}])

    def delete(self, name: str) -> None:
        """None there is fine. Its connections are closed."""
        self._ask("DELETE", f"/proxies/{name}")
        if name in self._ask("GET", "/proxies"):
            raise ToolFailed(f"toxiproxy: proxy {name} is still there after it was deleted")

    def enable(self, name: str, on: bool) -> None:
        wanted: dict[str, Any] = {"enabled": on}
        if on:
            wanted["upstream"] = str(self.read(name)["upstream"]).removeprefix(CLOSED)
        self._ask("POST", f"/proxies/{name}", wanted)
        there = self.read(name)
        if any(there[key] != value for key, value in wanted.items()):
            raise ToolFailed(f"toxiproxy: proxy {name} does not show enabled={on} after it was asked to")

    def close(self, names: Sequence[str]) -> None:
        """In one call, so within milliseconds; one by one takes some 60 ms.

        Of a proxy that is there already the server takes over nothing but another address, whatever ``enabled`` says
        (``AddOrReplace`` of toxiproxy 2.12), so each upstream is marked; ``enable``, of any client of the server, takes the mark off.
        """
        there = self._ask("GET", "/proxies")
        if missing := [name for name in names if name not in there]:
            raise ToolFailed(f"toxiproxy: there is no proxy {missing} to close")
        closed = [
            {
                "name": name,
                "listen": there[name]["listen"],
                "upstream": CLOSED + there[name]["upstream"].removeprefix(CLOSED),
                "enabled": False,
            }
            for name in names
        ]
        self._ask("POST", "/populate", closed)
        there = self._ask("GET", "/proxies")
        if still := [name for name in names if there[name]["enabled"]]:
            raise ToolFailed(f"toxiproxy: {still} are still enabled after they were closed")

    def add_toxic(self, proxy: str, toxic: str, kind: str, stream: str, attributes: Mapping[str, Any]) -> None:
        body = {"name": toxic, "type": kind, "stream": stream, "toxicity": 1.0, "attributes": dict(attributes)}
        self._ask("POST", f"/proxies/{proxy}/toxics", body)
        if toxic not in [t["name"] for t in self.read(proxy)["toxics"]]:
            raise ToolFailed(f"toxiproxy: toxic {toxic} is not on proxy {proxy} after it was added")

    def remove_toxic(self, proxy: str, toxic: str) -> None:
        self._ask("DELETE", f"/proxies/{proxy}/toxics/{toxic}")
        if toxic in [t["name"] for t in self.read(proxy)["toxics"]]:
            raise ToolFailed(f"toxiproxy: toxic {toxic} is still on proxy {proxy} after it was removed")

    def toxics(self, proxy: str) -> tuple[str, ...]:
        return tuple(t["name"] for t in self.read(proxy)["toxics"])
