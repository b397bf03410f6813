"""The programs' own checkers, as findings: what ``haproxy -c``, ``keepalived -t`` and the broker's check printed. Pure.

They are run by ``adapters.preflight``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pytest_rmqha.config.findings import ERROR, WARNING, Finding, errors
from pytest_rmqha.config.origin import Files

_HAPROXY = re.compile(r"\[(ALERT|WARNING)\][^:]*?\(\d+\) : (?:config : )?(.*)")
_HAPROXY_PLACE = re.compile(r"(?:parsing )?\[(/[^\]]*?):(\d+)\]\s*:?\s*")
_KEEPALIVED_PLACE = re.compile(r"\((?:(/.*?): )?Line (\d+)\) (.*)")
_CANT_RUN = re.compile(r"Non-existent interface specified in configuration")
_AFTER_LINE = re.compile(r"Syntax error in (\S+) after line (\d+)")
_SUM_UPS = re.compile(r"(Fatal errors found in configuration|Error\(s\) found in configuration file)\b")


def haproxy_said(code: int, said: str) -> list[Finding]:
    """``haproxy -c``: an ALERT is an error, a WARNING is none; 0 and 2 (nothing to serve) may come without either."""
    found = []
    for line in said.splitlines():
        told = _HAPROXY.search(line)
        if told and not _SUM_UPS.match(told[2]):
            place = _HAPROXY_PLACE.search(told[2])
            text = (_HAPROXY_PLACE.sub("", told[2], count=1) if place else told[2]).strip()
            file, number = (place[1], int(place[2])) if place else ("/etc/haproxy/haproxy.cfg", 0)
            found.append(Finding(file, number, ERROR if told[1] == "ALERT" else WARNING, text, "haproxy -c"))
    if code != 0 and not errors(found):
        last = said.strip().splitlines()[-1:] or ["it said nothing"]
        found.append(Finding("/etc/haproxy/haproxy.cfg", 0, ERROR, f"ended with {code}: {last[0]}", "haproxy -c"))
    return found


def keepalived_said(code: int, said: str, version: str) -> list[Finding]:
    """``keepalived -t``: an error is what it says it can't run with; with everything else it starts, and goes wrong later.

    "Can't run", "runs with errors" and "script security" are 3, 4 and 5 up to 2.2.4, and 4, 5 and 6 since 2.2.5
    (keepalived's lib/scheduler.h), so its version has to be known; where it isn't, 4 is taken for a warning. The code is
    the mildest of what it found (lib/parser.c), and 2.1.5 was seen to end with 0 after all of it: so what it says counts
    whatever the code, and a sentence that it can't run after is known by its words.
    """
    known = re.search(r"v(\d+)\.(\d+)\.(\d+)", version)
    moved = known is not None and tuple(int(n) for n in known.groups()) >= (2, 2, 5)
    severity = WARNING if code in ((0, 5, 6) if moved else (0, 4, 5)) else ERROR
    found = []
    for line in filter(None, map(str.strip, said.splitlines())):
        told = _KEEPALIVED_PLACE.match(line)
        file, number, text = (told[1], int(told[2]), told[3]) if told else (None, 0, line)
        its = ERROR if _CANT_RUN.match(text) else severity
        text = text.removeprefix("WARNING - ")
        found.append(Finding(file or "/etc/keepalived/keepalived.conf", number, its, text, "keepalived -t"))
    if found or code == 0:
        return found
    return [Finding("/etc/keepalived/keepalived.conf", 0, severity, f"ended with {code}", "keepalived -t")]


def broker_said(rows: Iterable[Sequence[str]], files: Files) -> list[Finding]:
    """Rows of severity, file, line (0: not known) and text, as the broker's check prints them.

    cuttlefish names the key that it refuses but not its line: that is looked up in the file.
    """
    found = []
    for severity, file, number, text in (row for row in rows if len(row) == 4):
        if syntax := _AFTER_LINE.search(text):
            file, number = syntax[1], syntax[2]
        at = int(number) if number.isdigit() else 0
        found.append(Finding(file, at or _line_of_key(text, file, files), severity, text, "the broker's own check"))
    return found


def _line_of_key(text: str, target: str, files: Files) -> int:
    words, quoted = set(re.findall(r"[\w.$-]+", text)), set(re.findall(r'"([^"]+)"', text))
    for file in (f for f in files if f.target == target):
        for number, line in enumerate(file.lines, 1):
            key, _, value = (part.strip() for part in line.partition("="))
            if key in words or value in quoted:
                return number
    return 0
