"""The sections of a haproxy.cfg that serve AMQP: what another service's sections say does not bear on its clients. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

Lines = Sequence[tuple[int, str]]
"""(number, text) of a file's lines."""
_BEGINS = re.compile(
    r"\s*(global|defaults|frontend|backend|listen|userlist|peers|resolvers|mailers|cache|program|ring|http-errors"
    r"|log-forward|fcgi-app|crt-store|traces)(\s|$)"
)
_PORT = re.compile(r"\b567[12]\b")
_USES = re.compile(r"\s*(?:default_backend|use_backend)\s+(\S+)")


def of_amqp(lines: Lines) -> Lines:
    """The lines of sections with AMQP's port, of the backends that they use, and of ``defaults``.

    All of them where no section has that port: then nobody can tell which ones are AMQP's.
    """
    sections: list[list[tuple[int, str]]] = [[]]
    for number, line in lines:
        if _BEGINS.match(line):
            sections.append([])
        sections[-1].append((number, line))
    serving = [section for section in sections if any(_PORT.search(line) for _, line in section)]
    if not serving:
        return lines
    used = {uses[1] for section in serving for _, line in section if (uses := _USES.match(line))}
    kept = [s for s in sections if s in serving or (s and _is_theirs(s[0][1].split(), used))]
    return [line for section in kept for line in section]


def _is_theirs(heading: Sequence[str], used: set[str]) -> bool:
    return heading[:1] == ["defaults"] or (heading[:1] == ["backend"] and not used.isdisjoint(heading[1:2]))
