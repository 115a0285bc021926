"""Small logs of partials for the tests of what stands behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from streams.fold import failed_recipients, pack
from streams.records import BUCKET_S, OPTIONAL_COUNTS, Cells, Partial, Range, SeriesKey

T0_S = 1_784_289_600
"""A full hour and so a bucket's start."""
TOPIC, TOPIC_ID = "outcomes", "id-1"
GOOD = SeriesKey("twilio", "310-260", "US", "delivered", "")
BAD = SeriesKey("twilio", "310-260", "US", "absent_subscriber", "30003")
OTHER = SeriesKey("smpp", "311-480", "US-CA", "absent_subscriber", "001")
KEYS = (GOOD, BAD, OTHER)

Cell = tuple[SeriesKey, int, int, tuple[int, ...]]
"""Series, second of receipt, finals, failed recipients."""


def cells(*rows: Cell) -> Cells:
    names = sorted({r[0] for r in rows})
    number = {name: i for i, name in enumerate(names)}
    return Cells(
        keys=names,
        key=[number[r[0]] for r in rows],
        bucket_s=[r[1] // BUCKET_S * BUCKET_S for r in rows],
        finals=[r[2] for r in rows],
        sends=[0 for _ in rows],
        recipients_n=[len(r[3]) for r in rows],
        recipients=pack([h for r in rows for h in r[3]]),
    )


def finals(key: SeriesKey, *seconds: float) -> list[Cell]:
    """One final at each of `seconds` after T0_S."""
    return [(key, T0_S + int(s), 1, ()) for s in seconds]


def reach(partition: int, start: int, end: int, clock_s: float | None, **fields: str) -> Range:
    """Range [start, end) of one partition and its clock, seconds after T0_S."""
    clock_ms = None if clock_s is None else int((T0_S + clock_s) * 1000)
    topic, topic_id = fields.get("topic", TOPIC), fields.get("topic_id", TOPIC_ID)
    return Range(topic, topic_id, partition, start, end, clock_ms)


def partial(
    ranges: Sequence[Range],
    rows: Sequence[Cell] = (),
    sources: Mapping[str, int] | None = None,
    part: int = 1,
    parts: int = 1,
) -> Partial:
    known = {TOPIC: 1} if sources is None else dict(sources)
    return Partial("ingest-0", 0, known, list(ranges), cells(*rows), part=part, parts=parts)


def sums(*tables: Cells) -> Counter[tuple[SeriesKey, int]]:
    """Finals by series and bucket."""
    out: Counter[tuple[SeriesKey, int]] = Counter()
    for table in tables:
        for k, b, n in zip(table.key, table.bucket_s, table.finals, strict=True):
            out[table.keys[k], b] += n
    return out


def everything(table: Cells) -> Counter[tuple[object, ...]]:
    """All that cells say, whatever their order and cut: for comparing sums."""
    out: Counter[tuple[object, ...]] = Counter()
    who = [(table.keys[k], b) for k, b in zip(table.key, table.bucket_s, strict=True)]
    for i, name in enumerate(who):
        out[*name, "finals"] += table.finals[i]
        out[*name, "sends"] += table.sends[i]
        for column in (*OPTIONAL_COUNTS, "distinct", "repeats"):
            if getattr(table, column):
                out[*name, column] += getattr(table, column)[i]
    classes = [table.classes[c] for c in table.latency_class] or [""] * len(table.latency_n)
    rows = zip(table.latency_cell, table.latency_bin, table.latency_n, classes, strict=True)
    for i, column, n, traffic_class in rows:
        out[*who[i], "latency", column, *([traffic_class] if traffic_class else [])] += n
    for i, senders in table.senders.items():
        for sender, n in senders.items():
            out[*who[i], "sender", sender] += n
    for i, hashes in failed_recipients(table):
        for h in hashes:
            out[*who[i], "recipient", h] += 1
    return +out
