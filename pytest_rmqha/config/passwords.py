"""The passwords that configuration files state, found by what stands before them. Pure.

It knows words, not syntax: a password behind a word that is not listed here is not found, nor is one that a script reads
from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pytest_rmqha.config.folder import ConfigFile

MASKED = "***"
_KEY = (
    r"(?<![\w.-])(?:[\w.-]*(?:passw(?:or)?d(?!_hashing)|passphrase|erlang_cookie|secret_key)[\w.-]*"
    r"|[\w.-]*_(?:pass|secret|token)\b|pass(?=[\"']?\s*[=:]))"
)
_QUOTED = r'"((?:[^"\\]|\\.)*)"' + r"|'([^']*)'"
_VALUE = rf"(?:{_QUOTED}|(\S+))"
_LOGIN = r"""(?:"[^":]+:([^"]+)"|'[^':]+:([^']+)'|[a-z$][^\s:"'/]*:((?:\\.|[^\s"'\\])+))"""
_STATED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_KEY}(?:\s+=\s*|\s*=\s+)(?:{_QUOTED}|(\S.*?)\s*(?:\s#.*)?$)",  # rabbitmq.conf: all that follows
        rf"{_KEY}[\"']?\s*=\s*{_VALUE}",
        rf"{_KEY}[\"']\s*:\s*(?:{_QUOTED})",  # JSON
        rf"{_KEY}\s*,\s*(?:<<)?(?:{_QUOTED})",  # Erlang
        rf"(?:^|[{{;]|\buser\s+\S+)\s*{_KEY}\s+(?!=){_VALUE}",  # haproxy's userlist
        rf"\bauth_pass\s+{_VALUE}",
        rf"(?=--){_KEY}\s+{_VALUE}",
        rf"\bstats\s+auth\s+{_LOGIN}",
        rf"(?<!\S)(?:-u\s*|-\w+u\s+|--(?:proxy-)?user[=\s]\s*){_LOGIN}",  # curl
        rf"\b(?:authenticate_user|add_user|change_password)\s+\S+\s+{_VALUE}",
        rf"\brabbitmqadmin\b.*\s-p\s*{_VALUE}",
        r"://[^\s:/@\"']+:([^\s/@\"']+)@",
        r"\bBasic(?:\\?\s)+([\w+/]+=*)",
    )
)


def veiled(line: str) -> str:
    """The line with ``***`` for every password in it."""
    kept, end = [], 0
    for start, after in _spans(line):
        kept.append(line[end:start])
        end = after
    return MASKED.join([*kept, line[end:]])


def passwords_of(files: Iterable[ConfigFile]) -> frozenset[str]:
    """Every password in lines that are no comments, also without the brackets or marks that may end its word."""
    return frozenset(password for file in set(files) for password in _stated_in(file))


@lru_cache(maxsize=256)
def _stated_in(file: ConfigFile) -> frozenset[str]:
    lines = [line for line in file.lines if not line.lstrip().startswith(("#", "%", "!"))]
    found = {line[start:end] for line in lines for start, end in _spans(line)}
    return frozenset(found | {word for password in found if (word := password.rstrip("}]);,'\""))})


def _spans(line: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each, none within another."""
    end = 0
    spans = {m.span(m.lastindex) for pattern in _STATED for m in pattern.finditer(line) if m.lastindex}
    for span in sorted(spans, key=lambda s: (s[0], -s[1])):
        if span[0] >= end and span[1] > span[0]:
            yield span
            end = span[1]
