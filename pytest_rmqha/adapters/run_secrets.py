"""The secrets of one run: made anew each time, kept out of everything that is printed or kept."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field

SHORTEST = 4
"""A shorter password is not masked: it would be found everywhere."""
COMMON = frozenset(
    {"admin", "false", "guest", "haproxy", "monitor", "none", "null", "password", "rabbit", "rabbitmq", "true"}
)
"""Everybody guesses these, and logs are full of them: as a password none of them is masked."""


@dataclass(frozen=True)
class Secrets:
    """Made anew for each run; ``mask`` takes them out of any text that leaves the run."""

    cookie: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    admin: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    statistics: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)
    vrrp: str = field(default_factory=lambda: secrets.token_hex(4), repr=False)
    load: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)

    def mask(self, text: str, stated: Collection[str] = ()) -> str:
        """``stated``: passwords of somebody's own files; each is masked as a whole word only, and none that is common."""
        for value in (self.cookie, self.admin, self.statistics, self.vrrp, self.load):
            text = text.replace(value, "***")
        telling = {value for value in stated if len(value) >= SHORTEST and value.lower() not in COMMON}
        written = telling | {json.dumps(value)[1:-1] for value in telling}
        if not written:
            return text
        words = "|".join(re.escape(value) for value in sorted(written, key=len, reverse=True))
        return re.sub(rf"(?<!\w)(?:{words})(?!\w)", "***", text)
