"""The job in Faust as its guide begins: a hopping table. Arguments: bootstrap servers, topics, folder,
and those of Faust.

The guide's `on_window_close` goes by the wall clock, so that a replay of older events would close windows too
early; the rows are written from the table once the records that end the topic have come. The three counts
are one integer, so that an event is one update of the table a window, not three.
"""

import json
import sys

import faust
from confluent_kafka import Producer

SERVERS, OUTCOMES, COUNTS, FOLDER, *WORKER = sys.argv[1:]
DIGITS = 20  # of each count, binary
ABSENT = {"30003", "63036"}

app = faust.App(f"{COUNTS}-faust", broker=f"kafka://{SERVERS}", store="memory://", datadir=FOLDER)
app.conf.topic_partitions = 4
outcomes = app.topic(OUTCOMES, value_type=bytes, value_serializer="raw")
pairs = app.topic(f"{COUNTS}-pairs", key_type=str, value_serializer="json", partitions=4, internal=True)
table = app.Table("counts", default=int, partitions=4).hopping(300, 10)
ended = set()


@app.agent(outcomes)
async def split(stream):
    async for event in stream.events():
        outcome = json.loads(event.value)
        pair = f"{outcome['carrier']}|{outcome['region']}"
        await pairs.send(key=pair, value={"code": outcome["code"]}, timestamp=event.message.timestamp)


@app.agent(pairs)
async def count(stream):
    async for event in stream.events():
        pair, code = event.key, event.value["code"]
        if pair.startswith("tick-"):
            ended.add(pair)
            if len(ended) == 1:
                app.loop.call_later(5.0, write)
            continue
        table[pair] += 1 + ((code == "30003") << DIGITS) + ((code in ABSENT) << 2 * DIGITS)


def write():
    producer = Producer({"bootstrap.servers": SERVERS, "queue.buffering.max.messages": 2_000_000})
    low = (1 << DIGITS) - 1
    for (pair, (start, _)), n in table.table.data.items():
        carrier, region = pair.split("|")
        row = {"carrier": carrier, "region": region, "end_ms": round(start + 300) * 1000, "total": n & low}
        row |= {"n30003": n >> DIGITS & low, "absent": n >> 2 * DIGITS}
        producer.produce(COUNTS, json.dumps(row))
        producer.poll(0)
    producer.flush(60)


if __name__ == "__main__":
    sys.argv[1:] = WORKER
    app.main()
