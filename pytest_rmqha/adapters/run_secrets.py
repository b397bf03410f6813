"""The secrets of one run: made anew each time, kept out of everything that is printed or kept."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Secrets:
    """Made anew for each run; ``mask`` takes them out of any text that leaves the run."""

    cookie: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    admin: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    statistics: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)
    vrrp: str = field(default_factory=lambda: secrets.token_hex(4), repr=False)
    load: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)

    def mask(self, text: str) -> str:
        for value in (self.cookie, self.admin, self.statistics, self.vrrp, self.load):
            text = text.replace(value, "***")
        return text
