"""The job in Quix Streams: a hopping window, final. Arguments: bootstrap servers, topics, state, grace."""

import sys

from quixstreams import Application

SERVERS, OUTCOMES, COUNTS, STATE, GRACE_S = sys.argv[1:]
ABSENT = {"30003", "63036"}


def begin(outcome: dict) -> list[int]:
    return add([0, 0, 0], outcome)


def add(counts: list[int], outcome: dict) -> list[int]:
    code = outcome["code"]
    return [counts[0] + 1, counts[1] + (code == "30003"), counts[2] + (code in ABSENT)]


def row(window: dict, key: str, timestamp: int, headers: object) -> dict:
    carrier, region = key.split("|")
    total, n30003, absent = window["value"]
    names = {"carrier": carrier, "region": region, "end_ms": window["end"]}
    return names | {"total": total, "n30003": n30003, "absent": absent}


app = Application(
    SERVERS,
    consumer_group=f"{COUNTS}-quix",
    auto_offset_reset="earliest",
    state_dir=STATE,
    consumer_extra_config={"fetch.queue.backoff.ms": 5},
    producer_extra_config={"linger.ms": 20, "queue.buffering.max.messages": 1_000_000},
    commit_interval=5.0,
    loglevel="WARNING",
)
outcomes = app.topic(OUTCOMES, key_deserializer="bytes", value_deserializer="json")
counts = app.topic(COUNTS, key_serializer="str", value_serializer="json")
frame = app.dataframe(outcomes)
frame = frame.apply(lambda o: {"carrier": o["carrier"], "region": o["region"], "code": o["code"]})
frame = frame.group_by(
    lambda o: f"{o['carrier']}|{o['region']}", name="pair", key_serializer="str", key_deserializer="str"
)
window = frame.hopping_window(duration_ms=300_000, step_ms=10_000, grace_ms=int(GRACE_S) * 1000)
frame = window.reduce(reducer=add, initializer=begin).final(closing_strategy="partition")
frame = frame.apply(row, metadata=True)
frame.to_topic(counts)

if __name__ == "__main__":
    app.run()
