"""The canary of the alerts role: who sends it, and what happens when it can not be sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

import pytest

from alerts import canary as module
from alerts.canary import Canary

NOW_MS = 1_800_000_000_000


class Topic:
    """What was written to `outcomes`, and whether it can be."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.headers: list[Mapping[str, bytes]] = []
        self.error: Exception | None = None
        self.hangs = False

    async def send(self, key: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        self.keys.append(key)
        self.headers.append(headers)


async def test_each_is_a_message_of_its_own_with_the_time_of_the_clock() -> None:
    topic = Topic()
    canary = Canary(topic.send, lambda: NOW_MS, lambda: True, 30)
    assert [await canary.send_one(), await canary.send_one()] == [True, True]
    assert len(set(topic.keys)) == 2
    assert topic.headers[0] == {"source": b"__canary__", "received_ms": b"%d" % NOW_MS}


@pytest.mark.parametrize(("owns", "most"), [(True, 50), (False, 0)])
async def test_only_the_owner_sends(owns: bool, most: int) -> None:
    topic = Topic()
    task = asyncio.create_task(Canary(topic.send, lambda: NOW_MS, lambda: owns, 0.01).run())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2 if not owns else 5):
            while len(topic.keys) < 3:
                await asyncio.sleep(0.01)
    task.cancel()
    assert bool(topic.keys) is owns and len(topic.keys) <= most


async def test_one_that_can_not_be_sent_disturbs_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SEND_TIMEOUT_S", 0.05)
    topic = Topic()
    canary = Canary(topic.send, lambda: NOW_MS, lambda: True, 30)
    topic.error = RuntimeError("no broker")
    assert [await canary.send_one(), await canary.send_one()] == [False, False]
    topic.error, topic.hangs = None, True
    assert not await canary.send_one()
    topic.hangs = False
    assert await canary.send_one()
    assert len(caplog.records) == 1, "said once, not each time"
