"""The ledger of a scenario in plain text: totals, latencies, what followed each fault, a line a stream, a line a client."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_rmqha.report.fault_spells import began_at
from pytest_rmqha.report.figures import Figures, figures
from pytest_rmqha.report.gaps import closed_gaps, is_open, seconds_or_less
from pytest_rmqha.report.latency import KINDS, RANKS, latencies, milliseconds
from pytest_rmqha.report.phases import Outage
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
    blocks = [_totals(numbers), *(_followed(outage, zero) for outage in numbers.outages)]
    blocks.append(_latencies(history, events))
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


def _followed(outage: Outage, zero: float) -> list[str]:
    lines = [f"fault “{outage.fault}” at +{outage.struck - zero:.2f} s; seconds after it:"]
    lines += [f"  {m.after:7.2f}  {m.label}" + (f" ({m.detail})" if m.detail else "") for m in outage.milestones]
    if not outage.milestones:
        lines.append("  nothing was seen")
    if outage.stood is None:
        return lines
    lines.append(f"  the clients' outage by phases, {outage.seconds:.2f} s:")
    for phase in outage.phases:
        longest = "  <- longest" if phase == outage.dominating else ""
        lines.append(f"  {phase.seconds:7.2f}  {phase.label}{longest}")
    return lines


def _latencies(history: History, events: Sequence[Event]) -> list[str]:
    rows = [
        (words, window, str(found.count), *(milliseconds(getattr(found, rank)) for rank in RANKS))
        for kind, words in KINDS.items()
        for window, found in latencies(history, events, kind).items()
    ]
    return _table([("latency, ms", "fault", "messages", *RANKS), *rows], texts=2) if rows else []


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
        still = " (end of the load)" if is_open(history, gap) else ""
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
