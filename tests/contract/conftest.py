"""``-k fake`` needs no engine; ``-k real`` starts single containers in a network of their own, always removed again."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Iterator

import docker.errors
import pytest
from docker.types import IPAMConfig, IPAMPool

from pytest_rmqha.adapters.engine import RUN_LABEL, Engine
from pytest_rmqha.adapters.images import present
from pytest_rmqha.images.spec import wanted
from tests.contract.small_run import SmallRun, free_subnet, owned


@pytest.fixture(scope="session")
def small_run() -> Iterator[SmallRun]:
    images = present(wanted("3.10", {}))
    engine = Engine(f"contract-{secrets.token_hex(3)}")
    engine.helper_labels = owned(engine.run)
    subnet = free_subnet(engine)
    network = engine.client.networks.create(
        f"rmqha-{engine.run}",
        driver="bridge",
        internal=True,
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet))]),
        labels=dict(engine.helper_labels),
    )
    try:
        yield SmallRun(engine, images, network, itertools.islice(subnet.hosts(), 10, None))
    finally:
        for container in engine.client.containers.list(all=True, filters={"label": f"{RUN_LABEL}={engine.run}"}):
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)
        network.remove()
