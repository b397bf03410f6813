"""The ledger of a scenario in plain text: the totals, what followed each fault, a line a stream, a line a client."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_rmqha.report.figures import Figures, Outage, began_at, closed_gaps, figures, seconds_or_less
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import Gap, History, Stream

STREAM_HEADS = (
    "stream",
    "queue",
    "attempted",
    "confirmed",
    "refused",
    "unknown",
    "delivered",
    "lost",
    "recovered",
    "duplicated",
    "unflagged",
    "out of order",
)


def summary(history: History, events: Sequence[Event] = ()) -> str:
    numbers = figures(history, events)
    zero = began_at(history, events)
    blocks = [_totals(numbers), *(_phases(outage, zero) for outage in numbers.outages)]
    if history.streams:
        blocks.append(_table([STREAM_HEADS, *(_stream(stream) for stream in history.streams)], texts=2))
    blocks.append(_standstills(history, zero))
    if history.unexpected.examples:
        blocks.append(["unexpected messages, examples:", *(f"  {text}" for text in history.unexpected.examples)])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _totals(f: Figures) -> list[str]:
    resent = f" ({f.resent} sent again by the publisher itself)" if f.resent else ""
    return [
        f"attempted {f.attempted}, confirmed {f.confirmed}, refused {f.refused}, unknown {f.unknown}",
        f"delivered {f.delivered}, lost {f.lost}, recovered {f.recovered}, unexpected {f.unexpected}",
        f"duplicated {f.duplicated}{resent}",
        f"worst publish gap {_s(f.longest_outage)}, in total {_s(f.outage_total)}",
        f"worst delivery gap {_s(f.longest_delivery_gap)}, in total {_s(f.delivery_gap_total)}",
        f"connects: {f.connects} good, {f.failed_connects} failed",
    ]


def _phases(outage: Outage, zero: float) -> list[str]:
    lines = [f"fault “{outage.fault}” at +{outage.struck - zero:.2f} s; seconds after it:"]
    lines += [f"  {p.after:7.2f}  {p.label}" + (f" ({p.detail})" if p.detail else "") for p in outage.phases]
    return lines if outage.phases else [*lines, "  nothing was seen"]


def _stream(s: Stream) -> tuple[str, ...]:
    counts = (
        s.attempted,
        s.confirmed.count(),
        s.nacked.count() + s.returned.count(),
        s.unknown.count(),
        s.delivered.count(),
        s.lost.count(),
        s.recovered.count(),
        s.repeated.count(),
        s.unflagged.count,
        s.out_of_order.count,
    )
    return (s.name, s.queue, *map(str, counts))


def _standstills(history: History, zero: float) -> list[str]:
    """The worst gap of each client and kind, longest first."""
    worst: dict[tuple[str, str], Gap] = {}
    for kind in ("publish", "deliver"):
        for gap in closed_gaps(history, kind):
            if gap.seconds > worst.get((gap.role, kind), Gap("", "", 0, 0)).seconds:
                worst[gap.role, kind] = gap
    if not worst:
        return []
    rows = [("client", "stood still", "seconds", "from", "to")]
    for gap in sorted(worst.values(), key=lambda gap: -gap.seconds):
        what = "no confirm" if gap.kind == "publish" else "no delivery"
        still = " (end of the load)" if gap.end >= history.window[1] else ""
        rows.append(
            (gap.role, what, f"{gap.seconds:.2f}", f"+{gap.start - zero:.2f} s", f"+{gap.end - zero:.2f} s{still}")
        )
    return _table(rows, texts=2)


def _table(rows: Sequence[Sequence[str]], texts: int) -> list[str]:
    """The first ``texts`` columns to the left, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _s(value: float | None) -> str:
    return "not measured" if value is None else seconds_or_less(value)
