"""When a stateful role ends for what Kafka's clients would wait for, without a word."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from streams import app
from streams.app import LOOKS_OUTSIDE, watch_kafka
from streams.engine import App
from streams.errors import MonitorError, NoTopic
from streams.topic_facts import TopicFacts

GONE, ANEW, AWAY = NoTopic("no topic w"), NoTopic("w was made anew", anew=True), MonitorError("no answer")
IN, OUT = True, False


class Left(Exception):
    """In place of the end of the process."""


class StillThere(Exception):
    """All looks have been taken, and the role has not ended."""


class Looks:
    """What each look at the topics finds, and whether the consumer is in its group then."""

    def __init__(self, looks: list[Exception | bool]) -> None:
        self.taken = 0
        self._looks: Iterator[Exception | bool] = iter(looks)
        self.in_group = True

    def look_again(self) -> None:
        look = next(self._looks, None)
        if look is None:
            raise StillThere
        self.taken += 1
        if isinstance(look, Exception):
            raise look
        self.in_group = look


async def ended_at(monkeypatch: pytest.MonkeyPatch, looks: list[Exception | bool]) -> int | None:
    """The look at which the role ended, None when it did not."""

    def leave() -> None:
        raise Left

    async def no_sleep(seconds: float) -> None:
        pass

    monkeypatch.setattr(app, "leave", leave)
    monkeypatch.setattr(app, "asyncio", SimpleNamespace(sleep=no_sleep, to_thread=_at_once))
    at = Looks(looks)
    try:
        await watch_kafka(cast(TopicFacts, at), cast(App, at))
    except Left:
        return at.taken
    except StillThere:
        return None


async def _at_once(call: object) -> None:
    assert callable(call)
    call()


@pytest.mark.parametrize(
    ("looks", "ends"),
    [
        pytest.param([IN] * 99, None, id="all is well"),
        pytest.param([IN, GONE, IN, GONE, IN], None, id="a topic is missing in one look alone"),
        pytest.param([IN, GONE, GONE, IN], 3, id="a topic is gone"),
        pytest.param([IN, ANEW], 2, id="a topic was made anew"),
        pytest.param([AWAY] * 99, None, id="Kafka is away"),
        pytest.param([OUT] * 99, LOOKS_OUTSIDE, id="it stays out of its group"),
        pytest.param([*[OUT] * (LOOKS_OUTSIDE - 1), IN] * 2, None, id="it joins at last"),
        pytest.param([OUT, *[AWAY] * 99], None, id="nobody is in a group while Kafka is away"),
        pytest.param([*[OUT, AWAY] * 99], 2 * LOOKS_OUTSIDE - 1, id="a look without an answer tells nothing"),
    ],
)
async def test_a_role_ends_when_a_topic_is_gone_or_its_group_is_lost_for_long(
    monkeypatch: pytest.MonkeyPatch, looks: list[Exception | bool], ends: int | None
) -> None:
    assert await ended_at(monkeypatch, looks) == ends
