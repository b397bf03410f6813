"""HTTP to a run's own members: never through a proxy that the environment names, for it could not reach them."""

from __future__ import annotations

from typing import Any

import requests


def is_refusal(error: BaseException | None) -> bool:
    """Whether a failed request came of a refused connection, and not of one that hung or broke."""
    while error is not None and not isinstance(error, ConnectionRefusedError):
        error = error.__cause__ or error.__context__
    return error is not None


def ask(method: str, url: str, **options: Any) -> requests.Response:
    """``requests.request`` on a connection of its own; ``options`` need a ``timeout``. Raises requests.RequestException."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, **options)
