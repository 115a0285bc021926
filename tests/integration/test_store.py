"""Redis as a working set: shared where it answers, done without where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from alerts.desk import Row
from alerts.notify.budget import WINDOW_MS
from alerts.records import Page, Severity
from alerts.store import BACKOFF_CAP_MS, RedisStore
from streams import settings
from streams.embedded import EmbeddedValkey
from streams.errors import Unreachable
from streams.metrics import Metrics, Role

NOW = 1_700_000_000_000
NOWHERE = "redis://me:secret@127.0.0.1:1/0"
PAGE = Page("ch:a", "ch:a", "trigger", 3, Severity.CRITICAL, "s", "c", NOW)


class Clock:
    def __init__(self) -> None:
        self.now_ms = NOW

    def __call__(self) -> int:
        return self.now_ms


def make(url: str, clock: Clock, prefix: str = "", limit: int = 5) -> tuple[RedisStore, Metrics]:
    metrics = Metrics(Role.ALERTS)
    return RedisStore(settings.Redis(url=url), clock, metrics, prefix, limit), metrics


@pytest_asyncio.fixture
async def store(valkey: EmbeddedValkey, topic_prefix: str) -> AsyncIterator[RedisStore]:
    made, _ = make(valkey.url, Clock(), topic_prefix)
    yield made
    await made.close()


def redis_up(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("carrier_health_redis_up")


async def test_it_says_where_it_could_not_connect_and_keeps_the_password() -> None:
    store, metrics = make(NOWHERE, Clock())
    with pytest.raises(Unreachable, match=r"Redis at 127.0.0.1:1 can not be reached: PING") as lost:
        await store.connect()
    assert "secret" not in str(lost.value)
    assert redis_up(metrics) == 0


async def test_it_says_when_redis_answers(valkey: EmbeddedValkey) -> None:
    store, metrics = make(valkey.url, Clock())
    await store.connect()
    assert await store.ping()
    assert (store.up, redis_up(metrics)) == (True, 1)
    await store.close()


async def test_the_budget_is_shared_by_all_who_page(valkey: EmbeddedValkey, topic_prefix: str) -> None:
    one, _ = make(valkey.url, Clock(), topic_prefix)
    other, _ = make(valkey.url, Clock(), topic_prefix)
    granted = [await store.take(NOW + i) for i, store in enumerate([one, other, one, other, one])]
    assert granted == [0] * 5
    assert await other.take(NOW + 10) == WINDOW_MS - 10
    assert await other.take(NOW + WINDOW_MS) == 0
    await one.close()
    await other.close()


async def test_takers_at_the_same_time_get_no_more_than_there_is(
    valkey: EmbeddedValkey, topic_prefix: str
) -> None:
    stores = [make(valkey.url, Clock(), topic_prefix)[0] for _ in range(4)]
    waits = await asyncio.gather(*(store.take(NOW) for store in stores for _ in range(5)))
    assert waits.count(0) == 5
    for store in stores:
        await store.close()


async def test_a_clock_that_went_back_does_not_stop_paging(store: RedisStore) -> None:
    for _ in range(5):
        assert await store.take(NOW + 3_600_000) == 0
    assert await store.take(NOW) == 0


async def test_rows_come_back_as_they_were_put(store: RedisStore) -> None:
    await store.put_row("pagerduty", Row(PAGE, NOW, attempts=2))
    found = (await store.rows("pagerduty"))["ch:a"]
    assert (found["desired"]["seq"], found["attempts"], found["remote"]) == (3, 2, "closed")
    assert await store.rows("slack") == {}


async def test_without_redis_the_budget_is_kept_here_and_nothing_is_raised() -> None:
    store, metrics = make(NOWHERE, Clock())
    assert [await store.take(NOW) for _ in range(6)] == [0, 0, 0, 0, 0, WINDOW_MS]
    await store.put_row("pagerduty", Row(PAGE, NOW))
    assert await store.rows("pagerduty") == {}
    assert redis_up(metrics) == 0


async def test_losing_redis_does_not_loosen_the_budget(topic_prefix: str) -> None:
    with EmbeddedValkey() as server:
        store, metrics = make(server.url, Clock(), topic_prefix)
        assert [await store.take(NOW) for _ in range(4)] == [0] * 4
        assert redis_up(metrics) == 1
    assert [await store.take(NOW) for _ in range(2)] == [0, WINDOW_MS]
    assert redis_up(metrics) == 0
    await store.close()


async def test_a_lost_redis_is_left_alone_for_longer_and_longer() -> None:
    clock = Clock()
    store, _ = make(NOWHERE, clock)
    waits = []
    for _ in range(9):
        await store.ping()
        waits.append(store._next_try_ms - clock.now_ms)
        clock.now_ms = store._next_try_ms
    assert waits == [500, 1000, 2000, 4000, 8000, 16000, BACKOFF_CAP_MS, BACKOFF_CAP_MS, BACKOFF_CAP_MS]
    clock.now_ms -= 1
    assert not await store.ping()
    assert store._failures == 9, "not asked before its time"


async def test_it_is_found_again_when_it_comes_back(valkey: EmbeddedValkey) -> None:
    clock = Clock()
    store, _ = make(valkey.url, clock)
    store._failed(ConnectionError("away"))
    assert not await store.ping()
    clock.now_ms += BACKOFF_CAP_MS
    assert await store.ping()
    assert (store.up, store._failures) == (True, 0)
    await store.close()
