"""Redis over TLS as a user of an ACL: the least commands with which paging and Lookup do their work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from alerts.doctor.finding import Level
from alerts.doctor.redis import check_redis
from alerts.recipients.entry import DAY_S
from alerts.recipients.growth import Campaign
from alerts.recipients.store import RecipientStore
from alerts.records import Page, Severity
from alerts.rows import Row
from alerts.settings import Settings
from alerts.store import RedisStore
from streams import settings as configuration
from streams.embedded import EmbeddedValkey
from streams.errors import Unreachable
from streams.lookup.answer import NOTHING
from streams.lookup.cache import Cache
from streams.settings import Secret
from tests.alerts.recipients.plain import T0_S, failure
from tests.integration.certificates import Authority
from tests.integration.tunnel import Tunnel

pytestmark = pytest.mark.needs_openssl

ROOT = Path(__file__).parents[2]
PASSWORD = "val-key-s3cret"
NOW_MS = 1_700_000_000_000
HOSTILE = "ch:r:carrier:x\r\nSET evil 1\r\n\0*:all:1"
"""A pager key as a hostile carrier name would have it, did it not become a slug."""
PAGE = Page(HOSTILE, HOSTILE, "trigger", 3, Severity.CRITICAL, "s", "c", NOW_MS)


def documented(user: str) -> list[str]:
    """The rules of `ACL SETUSER` that docs/deploy.md gives this user."""
    found = re.search(rf"^ACL SETUSER {user} (.+)$", (ROOT / "docs/deploy.md").read_text(), re.M)
    assert found is not None
    return found[1].replace("PASSWORD", PASSWORD).split()


@pytest.fixture(scope="module")
def tunnel(tmp_path_factory: pytest.TempPathFactory, valkey: EmbeddedValkey) -> Iterator[Tunnel]:
    """The embedded server is built without TLS, so something in front of it speaks it."""
    authority = Authority(tmp_path_factory.mktemp("redis"))
    with Tunnel(authority.key_store("redis"), authority.certificate, valkey.port) as made:
        yield made


def way(valkey: EmbeddedValkey, tunnel: Tunnel, user: str, *rules: str) -> configuration.Redis:
    """As this user, who may do what the documentation says and `rules`."""
    with redis.Redis(port=valkey.port) as admin:
        admin.execute_command("ACL", "SETUSER", user, "reset", *documented(user), *rules)
    return configuration.Redis(
        url=f"rediss://127.0.0.1:{tunnel.port}/0",
        username=user,
        password=Secret(PASSWORD),
        ca_file=str(tunnel.ca_file),
    )


async def test_the_alerts_role_pages_with_the_documented_commands(
    valkey: EmbeddedValkey, tunnel: Tunnel
) -> None:
    store = RedisStore(way(valkey, tunnel, "carrier-health-alerts"), lambda: NOW_MS)
    await store.connect()
    assert await store.take(NOW_MS, "least") == 0
    await store.put_row("least", Row(PAGE, NOW_MS))
    assert list(await store.rows("least")) == [HOSTILE]
    assert (store.up, store.last_error) == (True, "")
    with redis.Redis(port=valkey.port) as admin:
        assert admin.exists("evil") == 0
    await store.close()


def test_recipients_are_kept_with_the_documented_commands(valkey: EmbeddedValkey, tunnel: Tunnel) -> None:
    user, one = way(valkey, tunnel, "carrier-health-alerts"), failure(7, T0_S, 1)
    store = RecipientStore(user, "1ea57", configuration.Recipients())
    store.clear()
    store.built()
    assert store.restore(0, T0_S)
    for _ in range(2):
        assert [seen.run for seen in store.merge([one])] == [1]
    store.note_growth([(T0_S, Campaign("", ""))])
    store.forget_growth(T0_S + 9 * DAY_S)
    store.sweep(1.0, T0_S)
    assert (store.tracked, store.forget([7]), len(list(store.entries()))) == (1, 1, 0)
    store.merge([one])
    store.sweep(1.0, T0_S + 9 * DAY_S)
    assert store.let_go == 1
    store.clear()
    store.close()


async def test_lookup_keeps_answers_with_the_documented_commands(
    valkey: EmbeddedValkey, tunnel: Tunnel
) -> None:
    cache = Cache(way(valkey, tunnel, "carrier-health-ingest"), "1ea57")
    await cache.put(7, NOTHING, 60.0)
    assert (await cache.get(7)) is not None
    assert await cache.spend("2026-11-26", 5)
    assert [kept.recipient async for kept in cache.load(10)] == [7]
    await cache.close()


def test_doctor_looks_with_the_documented_commands(valkey: EmbeddedValkey, tunnel: Tunnel) -> None:
    found = list(check_redis(Settings(redis=way(valkey, tunnel, "carrier-health-doctor"))))
    assert [f.level for f in found if f.what == "redis"] == [Level.OK] * 3


async def test_a_wrong_password_and_a_missing_command_are_told(
    valkey: EmbeddedValkey, tunnel: Tunnel
) -> None:
    right = way(valkey, tunnel, "carrier-health-alerts", "-ping")
    store = RedisStore(right, lambda: NOW_MS)
    with pytest.raises(Unreachable, match="no permissions to run the 'ping' command"):
        await store.connect()
    await store.close()
    stranger = RedisStore(
        configuration.Redis(
            url=right.url, username="carrier-health-alerts", password=Secret("other"), ca_file=right.ca_file
        ),
        lambda: NOW_MS,
    )
    with pytest.raises(Unreachable, match="invalid username-password pair") as refused:
        await stranger.connect()
    assert "other" not in str(refused.value)
    await stranger.close()


async def test_a_certificate_of_an_unknown_authority_is_refused(
    valkey: EmbeddedValkey, tunnel: Tunnel
) -> None:
    store = RedisStore(configuration.Redis(url=f"rediss://127.0.0.1:{tunnel.port}/0"), lambda: NOW_MS)
    with pytest.raises(Unreachable, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        await store.connect()
    await store.close()
