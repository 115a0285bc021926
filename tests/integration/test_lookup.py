"""Lookup's thread with a real Valkey and a server in Twilio's place."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from redis import Redis

from streams.embedded import EmbeddedValkey
from streams.label_values import Asked
from streams.lookup.answer import Answer
from streams.lookup.cache import Cache
from streams.lookup.service import LookupService
from streams.metrics import Metrics, Role
from streams.networks import built_in
from streams.privacy import RecipientHasher
from streams.settings import Lookup, Secret, Settings
from streams.settings import Redis as RedisSettings

HASHER = RecipientHasher(Secret("a key for this test alone"))
WAIT_S = 20.0
NETWORKS = {"+12025550123": ("310", "260"), "+12025550124": ("311", "480")}


class Twilio:
    """Knows two numbers; `refuse` answers in its place while it is set. Runs in its own thread."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuse: Callable[[], web.Response] | None = None
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Twilio:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        async def start() -> None:
            app = web.Application()
            app.router.add_get("/v2/PhoneNumbers/{number}", self._answer)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._started.set()

        self._loop.run_until_complete(start())
        self._loop.run_forever()

    async def _answer(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        self.asked.append(number)
        if self.refuse is not None:
            return self.refuse()
        mcc, mnc = NETWORKS.get(number, (None, None))
        line = {"mobile_country_code": mcc, "mobile_network_code": mnc, "type": "mobile" if mcc else None}
        return web.json_response({"valid": True, "country_code": "US", "line_type_intelligence": line})


@pytest.fixture
def twilio() -> Iterator[Twilio]:
    with Twilio() as server:
        yield server


class Bench:
    """A service that is told of numbers; ends with the test."""

    def __init__(self, redis_url: str, lookup_url: str, prefix: str, **lookup: Any) -> None:
        self.metrics = Metrics(Role.INGEST)
        given = {"enabled": True, "account_sid": "AC1", "auth_token": Secret("x"), "requests_per_s": 100.0}
        settings = Settings(
            redis=RedisSettings(url=redis_url), lookup=Lookup(base_url=lookup_url, **(given | lookup))
        )
        self.service = LookupService(settings, built_in(), HASHER, self.metrics, prefix)

    def __enter__(self) -> Bench:
        self.service.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()

    def offer(self, *numbers: str) -> None:
        for number in numbers:
            self.service.offer(HASHER(number), number, True)

    def known(self, number: str) -> str | None:
        return self.service.known.get(HASHER(number))

    def count(self, asked: Asked) -> float:
        name = "carrier_health_lookup_requests_total"
        return self.metrics.registry.get_sample_value(name, {"result": asked}) or 0.0


def eventually(holds: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end_s, f"not within {WAIT_S} s: {what}"
        time.sleep(0.02)


def test_offered_numbers_get_their_carriers_and_are_paid_for_once(
    valkey: EmbeddedValkey, topic_prefix: str, twilio: Twilio
) -> None:
    with Bench(valkey.url, twilio.url, topic_prefix) as first:
        first.offer("+12025550123", "+1 202 555 0124", "12345", "ACME", "+12025550123")
        eventually(lambda: first.known("+12025550124") == "311-480", "both are known")
        eventually(lambda: first.known("+12025550123") == "310-260", "both are known")
        assert first.count(Asked.OK) == 2
    with Bench(valkey.url, twilio.url, topic_prefix) as second:
        eventually(lambda: second.known("+12025550123") == "310-260", "it is loaded from Redis at start")
    assert sorted(twilio.asked) == sorted(NETWORKS)


def test_an_answer_of_another_ingest_is_taken_from_redis(
    valkey: EmbeddedValkey, topic_prefix: str, twilio: Twilio
) -> None:
    with (
        Bench(valkey.url, twilio.url, topic_prefix) as one,
        Bench(valkey.url, twilio.url, topic_prefix) as two,
    ):
        two.offer("+12025550124")
        eventually(lambda: two.known("+12025550124") == "311-480", "the second has loaded what there was")
        one.offer("+12025550123")
        eventually(lambda: len(ttls(valkey, topic_prefix)) == 2, "the first has kept its answer")
        two.offer("+12025550123")
        eventually(lambda: two.count(Asked.CACHED) == 1, "the second found it")
        assert two.known("+12025550123") == "310-260"
    assert sorted(twilio.asked) == sorted(NETWORKS)


def test_what_lookup_does_not_know_is_kept_for_a_shorter_time(
    valkey: EmbeddedValkey, topic_prefix: str, twilio: Twilio
) -> None:
    with Bench(valkey.url, twilio.url, topic_prefix, negative_ttl_days=0.5) as bench:
        bench.offer("+12025550199", "+12025550123")
        eventually(lambda: bench.count(Asked.NOT_FOUND) == 1 and bench.count(Asked.OK) == 1, "both answered")
        assert bench.known("+12025550199") == ""
    left_s = sorted(ttls(valkey, topic_prefix).values())
    assert 43_000 < left_s[0] <= 43_200 and 2_591_000 < left_s[1] <= 2_592_000


def test_redis_holds_no_number(valkey: EmbeddedValkey, topic_prefix: str, twilio: Twilio) -> None:
    with Bench(valkey.url, twilio.url, topic_prefix) as bench:
        bench.offer("+12025550123")
        eventually(lambda: bench.count(Asked.OK) == 1, "it is answered")
        eventually(lambda: len(ttls(valkey, topic_prefix)) == 1, "it is kept")
    with Redis.from_url(valkey.url) as redis:
        keys = list(redis.scan_iter(f"{topic_prefix}*"))
        texts = [*keys, *(redis.get(k) for k in keys)]
    assert not [t for t in texts if b"2025550123" in t]
    assert f"{HASHER('+12025550123'):016x}".encode() in b"".join(keys)


def ttls(valkey: EmbeddedValkey, prefix: str) -> dict[bytes, int]:
    with Redis.from_url(valkey.url) as redis:
        return {k: redis.ttl(k) for k in redis.scan_iter(f"{prefix}*") if b"spent" not in k}


def test_the_budget_of_the_day_is_shared_and_never_passed(
    valkey: EmbeddedValkey, topic_prefix: str, twilio: Twilio
) -> None:
    with (
        Bench(valkey.url, twilio.url, topic_prefix, daily_requests=5) as one,
        Bench(valkey.url, twilio.url, topic_prefix, daily_requests=5) as two,
    ):
        for i, bench in enumerate((one, two)):
            bench.offer(*(f"+1202555{100 + 10 * i + n:04}" for n in range(10)))
        eventually(lambda: one.count(Asked.OVER_BUDGET) + two.count(Asked.OVER_BUDGET) > 0, "it is used up")
        eventually(lambda: len(twilio.asked) == 5, "all of it is used")
        one.service.stop()
        two.service.stop()
    assert len(twilio.asked) == 5


def test_a_rate_limit_is_heeded_and_the_number_asked_for_again(
    valkey: EmbeddedValkey, topic_prefix: str, twilio: Twilio
) -> None:
    twilio.refuse = lambda: web.Response(status=429, headers={"Retry-After": "1"})
    with Bench(valkey.url, twilio.url, topic_prefix) as bench:
        bench.offer("+12025550123")
        eventually(lambda: bench.count(Asked.RATE_LIMITED) == 1, "it was told to wait")
        held_from_s = time.monotonic()
        twilio.refuse = None
        eventually(lambda: bench.known("+12025550123") == "310-260", "it asked again")
        assert time.monotonic() - held_from_s > 0.7
    assert len(twilio.asked) == 2


def test_twilio_that_refuses_or_fails_leaves_carriers_unknown_and_says_so_once(
    valkey: EmbeddedValkey, topic_prefix: str, twilio: Twilio, caplog: pytest.LogCaptureFixture
) -> None:
    twilio.refuse = lambda: web.Response(status=401)
    with caplog.at_level(logging.INFO), Bench(valkey.url, twilio.url, topic_prefix) as bench:
        bench.offer("+12025550123")
        eventually(lambda: bench.count(Asked.REFUSED) == 1, "it was refused")
        eventually(lambda: bench.known("+12025550123") is None, "it may be offered again")
    said = [r.getMessage() for r in caplog.records if r.name == "streams.lookup"]
    assert len(said) == 1 and "check lookup.account_sid" in said[0] and "5550123" not in said[0]


def test_without_redis_nothing_is_asked_and_offering_is_quick(twilio: Twilio, topic_prefix: str) -> None:
    with Bench("redis://127.0.0.1:1/0", twilio.url, topic_prefix) as bench:
        started_s = time.monotonic()
        bench.offer(*(f"+1202555{n:04}" for n in range(100, 200)))
        assert time.monotonic() - started_s < 1.0
        assert bench.known("+12025550123") == ""
        eventually(lambda: "Redis" in bench.service._said, "it noticed")
    assert twilio.asked == []


def test_redis_that_comes_back_is_used(topic_prefix: str, twilio: Twilio) -> None:
    with EmbeddedValkey() as server:
        server.stop()
        with Bench(server.url, twilio.url, topic_prefix) as bench:
            bench.offer("+12025550123")
            eventually(lambda: "Redis" in bench.service._said, "it noticed")
            server.start()
            eventually(lambda: bench.known("+12025550123") == "310-260", "it goes on")


async def test_more_answers_than_fit_are_not_loaded(valkey: EmbeddedValkey, topic_prefix: str) -> None:
    cache = Cache(RedisSettings(url=valkey.url), "cafe", topic_prefix)
    for recipient in range(50):
        await cache.put(recipient, Answer("310", "260"), 60)
    await cache._redis.set(f"{topic_prefix}cafe:{99:016x}", b"not an answer", ex=60)
    await cache._redis.set(f"{topic_prefix}beef:{98:016x}", msgspec.json.encode(Answer("310", "410")), ex=60)
    loaded = {kept.recipient async for kept in cache.load(1_000)}
    assert loaded == set(range(50))
    assert [kept async for kept in cache.load(0)] == []
    await cache.close()
