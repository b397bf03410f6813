"""The contract of ``LinkProxies``, held by the real toxiproxy server (in its container) and by the fake of the unit tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import docker
import pytest

from pytest_rmqha.adapters.images import present
from pytest_rmqha.adapters.toxiproxy import Proxies
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.images.spec import wanted
from pytest_rmqha.outside import LinkProxies
from pytest_rmqha.waiting import await_match, seconds

PROXY = {"name": "a>b:dist", "listen": "127.0.0.1:25672", "upstream": "127.0.0.1:9", "enabled": True}


class FakeProxies:
    """In memory; refuses what the server refuses."""

    def __init__(self) -> None:
        self._proxies: dict[str, dict[str, Any]] = {PROXY["name"]: {**PROXY, "toxics": []}}  # type: ignore[dict-item]

    def _known(self, name: str) -> dict[str, Any]:
        if name not in self._proxies:
            raise ToolFailed(f"toxiproxy: no proxy {name}")
        return self._proxies[name]

    def read(self, name: str) -> Mapping[str, Any]:
        return dict(self._known(name))

    def create(self, name: str, *, listen: str, upstream: str) -> None:
        self._proxies[name] = {"name": name, "listen": listen, "upstream": upstream, "enabled": True, "toxics": []}

    def delete(self, name: str) -> None:
        self._proxies.pop(name, None)

    def enable(self, name: str, on: bool) -> None:
        self._known(name)["enabled"] = on

    def close(self, names: Sequence[str]) -> None:
        for known in [self._known(name) for name in names]:
            known.update(enabled=False, toxics=[])

    def add_toxic(self, proxy: str, toxic: str, kind: str, stream: str, attributes: Mapping[str, Any]) -> None:
        if kind not in ("timeout", "latency", "bandwidth"):
            raise ToolFailed(f"toxiproxy: no toxic {kind}")
        self._known(proxy)["toxics"].append({"name": toxic})

    def remove_toxic(self, proxy: str, toxic: str) -> None:
        toxics = self._known(proxy)["toxics"]
        toxics[:] = [t for t in toxics if t["name"] != toxic]

    def toxics(self, proxy: str) -> tuple[str, ...]:
        return tuple(t["name"] for t in self._known(proxy)["toxics"])


@pytest.fixture(scope="module")
def server() -> Iterator[Proxies]:
    image = present(wanted("3.10", {}))["toxiproxy"]
    container = docker.from_env().containers.run(
        image, ["-host=0.0.0.0"], detach=True, labels={"rmqha.test": "contract"}
    )
    try:
        container.reload()
        networks = container.attrs["NetworkSettings"]["Networks"]
        proxies = Proxies(next(iter(networks.values()))["IPAddress"])
        await_match(proxies.version, bool, what="toxiproxy", within=seconds(15), ignore=(ToolFailed,))
        proxies.populate([PROXY])
        yield proxies
    finally:
        container.remove(force=True)


@pytest.fixture(params=["fake", "real"])
def proxies(request: pytest.FixtureRequest) -> LinkProxies:
    if request.param == "fake":
        return FakeProxies()
    return request.getfixturevalue("server")  # type: ignore[no-any-return]


def test_a_disabled_proxy_reads_disabled_until_it_is_enabled_again(proxies: LinkProxies) -> None:
    proxies.enable("a>b:dist", False)
    assert proxies.read("a>b:dist")["enabled"] is False
    proxies.enable("a>b:dist", True)
    assert proxies.read("a>b:dist")["enabled"] is True


def test_a_toxic_is_listed_from_adding_to_removing(proxies: LinkProxies) -> None:
    proxies.add_toxic("a>b:dist", "t", "timeout", "upstream", {"timeout": 0})
    assert proxies.toxics("a>b:dist") == ("t",)
    proxies.remove_toxic("a>b:dist", "t")
    assert proxies.toxics("a>b:dist") == ()


def test_removing_a_toxic_that_is_not_there_is_no_error(proxies: LinkProxies) -> None:
    proxies.remove_toxic("a>b:dist", "never added")
    assert proxies.toxics("a>b:dist") == ()


def test_proxies_that_are_closed_together_have_no_toxics_and_open_as_they_were(proxies: LinkProxies) -> None:
    names = ("one", "other")
    for port, name in enumerate(names, 25700):
        proxies.create(name, listen=f"127.0.0.1:{port}", upstream=f"127.0.0.1:{port + 100}")
        proxies.add_toxic(name, "t", "timeout", "upstream", {"timeout": 0})
    before = {name: proxies.read(name) for name in names}

    for _ in range(2):
        proxies.close(names)
    assert [(proxies.read(n)["enabled"], proxies.toxics(n), proxies.read(n)["listen"]) for n in names] == [
        (False, (), before[n]["listen"]) for n in names
    ]

    for name in names:
        proxies.enable(name, True)
        again = proxies.read(name)
        assert (again["enabled"], again["listen"], again["upstream"]) == (
            True,
            before[name]["listen"],
            before[name]["upstream"],
        )
        proxies.delete(name)


def test_what_one_client_closed_another_one_opens(server: Proxies) -> None:
    server.close([PROXY["name"]])  # type: ignore[list-item]
    another = Proxies(server.base.split("/")[-1].split(":")[0])

    another.enable("a>b:dist", True)

    there = another.read("a>b:dist")
    assert (there["enabled"], there["upstream"]) == (True, PROXY["upstream"])


def test_closing_one_that_is_not_there_is_a_tool_failure_and_closes_none(proxies: LinkProxies) -> None:
    with pytest.raises(ToolFailed):
        proxies.close(["a>b:dist", "nobody"])
    assert proxies.read("a>b:dist")["enabled"] is True


def test_an_unknown_proxy_is_a_tool_failure(proxies: LinkProxies) -> None:
    with pytest.raises(ToolFailed):
        proxies.enable("nobody", False)


def test_an_unknown_kind_of_toxic_is_a_tool_failure(proxies: LinkProxies) -> None:
    with pytest.raises(ToolFailed):
        proxies.add_toxic("a>b:dist", "t", "gravity", "upstream", {})
    assert proxies.toxics("a>b:dist") == ()


def test_a_proxy_is_there_from_making_it_to_deleting_it(proxies: LinkProxies) -> None:
    for upstream in ("127.0.0.1:7", "127.0.0.1:13"):
        proxies.create("way", listen="127.0.0.1:25673", upstream=upstream)
        made = proxies.read("way")
        assert (made["listen"], made["upstream"], made["enabled"]) == ("127.0.0.1:25673", upstream, True)
    for _ in range(2):
        proxies.delete("way")
    with pytest.raises(ToolFailed):
        proxies.read("way")
