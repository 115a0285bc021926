"""Recipients in a real Valkey: the script does what the pure entries do, and what is lost is noticed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from redis import Redis

from alerts.progress import Progress
from alerts.recipients.buckets import KEEP_S
from alerts.recipients.entry import DAY_S
from alerts.recipients.names import place
from alerts.recipients.store import Lost, RecipientStore
from streams.embedded import EmbeddedValkey
from streams.records import FailedRecipient
from streams.settings import Recipients
from tests.alerts.recipients.plain import COUNTS, T0_S, PlainStore, core, failure
from tests.bench.recipients import memory

PEOPLE = [2**17 * 5 + 3, 2**17 * 6 + 3, 2**63 + 3, 2**64 - 1, 0]
"""Three of one bucket, and the ends."""


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def redis(valkey: EmbeddedValkey) -> Iterator[Redis]:
    with Redis.from_url(valkey.url) as client:
        yield client


def begun(valkey: EmbeddedValkey, key_id: str = "key", **config: int) -> RecipientStore:
    """A store that is built, with nobody in it."""
    store = RecipientStore(valkey.url, key_id, Recipients(**config))
    store.clear()
    store.built()
    return store


def arrays(deliveries: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([r for r, _ in deliveries], np.uint64), np.array([s for _, s in deliveries], np.int64)


FAILURES = st.builds(
    failure,
    st.sampled_from(PEOPLE),
    st.integers(T0_S, T0_S + 30) | st.integers(T0_S - 8 * DAY_S, T0_S),
    st.integers(1, 2**64 - 1) | st.integers(1, 6),
    st.sampled_from([COUNTS, COUNTS, "memory_full"]),
)
DELIVERIES = st.tuples(st.sampled_from(PEOPLE), st.integers(T0_S, T0_S + 30))
BATCHES = st.lists(st.tuples(st.lists(FAILURES, max_size=8), st.lists(DELIVERIES, max_size=4)), max_size=4)


@given(BATCHES)
@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_script_is_the_twin_of_the_pure_entries(
    valkey: EmbeddedValkey, batches: list[tuple[list[FailedRecipient], list[tuple[int, int]]]]
) -> None:
    store, plain = begun(valkey), PlainStore()
    for failed, deliveries in batches:
        assert store.take(failed, arrays(deliveries)).seen == plain.take(failed, deliveries)
    assert {r: e for r, e in store.entries()} == {r: e for (r, counts), e in plain.entries.items() if counts}
    newest = {r: e.failures[-1].last_s for (r, counts), e in plain.entries.items() if counts}
    there = {r for r, at_s in newest.items() if r in plain.on_list(at_s)}
    assert (store.tracked, store.listed) == (len(plain.entries), len(there))
    store.close()


def test_it_outlives_its_process_and_is_counted_anew(valkey: EmbeddedValkey) -> None:
    store = begun(valkey)
    four = [failure(PEOPLE[0], T0_S + i, i) for i in range(1, 5)]
    assert store.take(four).entered == [3]
    store.merge([failure(PEOPLE[1], T0_S, 9)])
    again = RecipientStore(valkey.url, "key", Recipients())
    assert again.restore(2, T0_S + 10)
    assert (again.tracked, again.listed, again.sequence) == (2, 1, 2)
    # Deliveries are only looked up for those who are known: it still knows them.
    again.take([], arrays([(PEOPLE[0], T0_S + 20), (PEOPLE[2], T0_S + 20)]))
    assert (again.tracked, again.listed) == (2, 0)
    assert core(again.entry(PEOPLE[0]))[0] == T0_S + 20


@pytest.mark.parametrize("lost", ["all", "the last seconds"])
def test_it_is_noticed_when_redis_has_lost_something(valkey: EmbeddedValkey, redis: Redis, lost: str) -> None:
    store = begun(valkey)
    store.merge([failure(PEOPLE[0], T0_S, 1)])
    store.merge([failure(PEOPLE[0], T0_S, 2)])
    if lost == "all":
        redis.flushall()
    else:
        redis.hset("carrier-health:rcp:state", "sequence", 1)
    with pytest.raises(Lost):
        store.merge([failure(PEOPLE[0], T0_S, 3)])
        store.merge([failure(PEOPLE[0], T0_S, 3)])
    redis.hset("carrier-health:rcp:state", "sequence", 1)
    assert not RecipientStore(valkey.url, "key", Recipients()).restore(2, T0_S)


@pytest.mark.parametrize("other", [{"key_id": "other"}, {"max_in_a_row": 2}])
def test_what_was_made_of_other_settings_is_made_anew(
    valkey: EmbeddedValkey, other: dict[str, object]
) -> None:
    begun(valkey)
    key_id = str(other.pop("key_id", "key"))
    assert not RecipientStore(valkey.url, key_id, Recipients(**other)).restore(0, T0_S)  # type: ignore[arg-type]
    assert RecipientStore(valkey.url, "key", Recipients()).restore(0, T0_S)


def test_beyond_the_most_new_recipients_are_refused_and_known_ones_go_on(valkey: EmbeddedValkey) -> None:
    store = begun(valkey, max_tracked=1000)
    many = store.take([failure(r << 20, T0_S, 1) for r in range(1000)])
    assert (many.refused, store.tracked) == (0, 1000)
    merged = store.take([failure(5, T0_S, 1), failure(7 << 20, T0_S + 1, 2)])
    assert (merged.refused, store.tracked) == (1, 1000)
    assert [(s.attempt, s.run, s.listed) for s in merged.seen] == [(1, 1, False), (2, 2, False)]


def test_what_is_too_old_is_let_go_of(valkey: EmbeddedValkey, redis: Redis) -> None:
    store = begun(valkey)
    store.merge([failure(PEOPLE[0], T0_S, 1), failure(PEOPLE[1], T0_S + 100, 2)])
    for _ in range(3):
        store.sweep(0.5, T0_S + KEEP_S)
    assert (store.tracked, store.let_go) == (1, 1)
    assert [r for r, _ in store.entries()] == [PEOPLE[1]]
    ttl_s = redis.ttl(f"carrier-health:rcp:{place(PEOPLE[1]).bucket}")
    assert KEEP_S < ttl_s <= KEEP_S + DAY_S


def test_who_is_to_be_forgotten_is_gone_unless_it_failed_since(valkey: EmbeddedValkey) -> None:
    store = begun(valkey)
    store.merge([failure(PEOPLE[0], T0_S, 1), failure(PEOPLE[0], T0_S, 2, "memory_full")])
    store.merge([failure(PEOPLE[1], T0_S + 9, 3)])
    assert store.forget(PEOPLE[:3], until_s=T0_S + 5) == 2
    assert [r for r, _ in store.entries()] == [PEOPLE[1]]
    assert store.forget(PEOPLE[:3]) == 1


def test_buckets_are_kept_in_their_small_form(valkey: EmbeddedValkey, redis: Redis) -> None:
    store = begun(valkey, max_in_a_row=4)
    crowd = [(r << 17) + 1 for r in range(300)]
    store.merge([failure(r, T0_S + i, i) for r in crowd for i in range(1, 7)])
    assert redis.hlen("carrier-health:rcp:1") == 300
    assert redis.object("encoding", "carrier-health:rcp:1") == b"listpack"


def test_ten_million_recipients_fit_in_two_gigabytes(valkey: EmbeddedValkey, redis: Redis) -> None:
    """The fuller the buckets, the fewer bytes each takes: so what few take is more than enough."""
    redis.flushall()
    assert memory(valkey, 50_000, Progress(quiet=True)).bytes_each * 10_000_000 < 2e9
