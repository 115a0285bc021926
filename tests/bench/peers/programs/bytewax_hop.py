"""The job in Bytewax: `fold_window` over a `SlidingWindower`. Arguments: bootstrap servers, topics, grace."""

import json
import signal
import sys
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax._bytewax import cli_main
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow

SERVERS, OUTCOMES, COUNTS, GRACE_S = sys.argv[1:]
EPOCH = datetime.fromtimestamp(0, UTC)
STEP, SIZE = timedelta(seconds=10), timedelta(minutes=5)
ABSENT = {"30003", "63036"}

Event = tuple[int, str | None]
Counts = list[int]


def read(message: KafkaSourceMessage) -> tuple[str, Event]:
    outcome = json.loads(message.value)
    return f"{outcome['carrier']}|{outcome['region']}", (message.timestamp[1], outcome["code"])


def happened(event: Event) -> datetime:
    return datetime.fromtimestamp(event[0] / 1000, UTC)


def fold(counts: Counts, event: Event) -> Counts:
    counts[0] += 1
    counts[1] += event[1] == "30003"
    counts[2] += event[1] in ABSENT
    return counts


def merge(a: Counts, b: Counts) -> Counts:
    return [x + y for x, y in zip(a, b, strict=True)]


def write(closed: tuple[str, tuple[int, Counts]]) -> KafkaSinkMessage:
    pair, (window, (total, n30003, absent)) = closed
    carrier, region = pair.split("|")
    end_ms = window * 10_000 + 300_000
    row = {"carrier": carrier, "region": region, "end_ms": end_ms}
    row |= {"total": total, "n30003": n30003, "absent": absent}
    return KafkaSinkMessage(pair.encode(), json.dumps(row).encode())


flow = Dataflow("hop")
read_in = kop.input("in", flow, brokers=[SERVERS], topics=[OUTCOMES], tail=False, batch_size=1_000)
events = op.map("read", read_in.oks, read)
clock = win.EventClock(happened, wait_for_system_duration=timedelta(seconds=int(GRACE_S)))
windower = win.SlidingWindower(length=SIZE, offset=STEP, align_to=EPOCH)
closed = win.fold_window("count", events, clock, windower, lambda: [0, 0, 0], fold, merge, ordered=False)
kop.output("out", op.map("write", closed.down, write), brokers=[SERVERS], topic=COUNTS)

if __name__ == "__main__":
    cli_main(flow, workers_per_process=1)
    signal.pause()  # until it is ended, so that it is measured like the others
