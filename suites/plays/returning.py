"""How long a balancer that is back may take to take the VIP back, by what keepalived's own files state: how long to look.

Only the length of the look comes from the files, never what is promised. Limits: a delay that a program of theirs makes (a
check or notify script that sleeps, a start of keepalived that waits) is in no file that is read here, and a return that is
due later than ``LONGEST`` is not watched at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

SHORTEST, LONGEST = 12.0, 90.0
"""Seconds: three advertisements of 2 s, the skew time and a script's first answers; and what one scenario may wait."""
SLACK = 5.0
ADVERTISEMENTS = 4  # three of silence, and the skew time, which is less than one more
STATED = re.compile(r"(?<![\w-])(vrrp_startup_delay|preempt_delay|advert_int|interval|rise)\s+(\d+(?:\.\d+)?)(?![\w.])")
USUAL = {"advert_int": 1.0, "interval": 1.0, "rise": 1.0}
COMMENT = re.compile(r"(?:^|\s)[#!].*")


def due_within(lines: Iterable[str]) -> float:
    """Seconds after a return within which a preemption that these lines make has begun; the longest of each delay counts."""
    stated = dict(USUAL)
    for line in lines:
        for key, value in STATED.findall(COMMENT.sub("", line)):
            stated[key] = max(float(value), stated.get(key, 0.0))
    delays = stated.get("vrrp_startup_delay", 0.0) + stated.get("preempt_delay", 0.0)
    own = ADVERTISEMENTS * stated["advert_int"] + stated["interval"] * stated["rise"] + SLACK
    return delays + max(own, SHORTEST)
