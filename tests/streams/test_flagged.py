"""Which series an open incident flags, and that a topic that can not be read changes nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
import pytest

from alerts.records import Decision, Incident, Severity, State
from streams import flagged
from streams.errors import Unreachable
from streams.flagged import Flagged, open_places


def incident(carrier: str, region: str, state: State = State.OPEN, **now: str) -> bytes:
    one = Incident(
        key=f"ch:r:pair:{carrier}:{region}:1784289600",
        seq=1,
        rule="r",
        scope="pair",
        carrier=carrier,
        region=region,
        state=state,
        severity=Severity.WARNING,
        opened_bucket_s=1_784_289_600,
        detected_ms=1_784_289_610_000,
        last_bucket_s=1_784_289_600,
        reason=Decision.ABOVE_WARNING,
        **now,  # type: ignore[arg-type]
    )
    return msgspec.json.encode(one)


def test_open_incidents_flag_their_places_as_they_are_now() -> None:
    told = [
        incident("310-260", "US-CA"),
        incident("310-260", "US-NY", State.RESOLVED),
        incident("311-480", "US-TX", current_carrier="311-480", current_region="all"),
        incident("all", "all"),
    ]
    assert open_places(told) == {("310-260", "US-CA"), ("311-480", "all")}


@pytest.mark.parametrize(
    ("place", "pair", "expected"),
    [
        (("310-260", "US-CA"), ("310-260", "US-CA"), True),
        (("310-260", "US-CA"), ("310-260", "US-NY"), False),
        (("310-260", "all"), ("310-260", "US-NY"), True),
        (("all", "US-NY"), ("310-260", "US-NY"), True),
        (("310-260", "US-CA"), ("310-260", ""), True),
        (("all", "US-CA"), ("310-260", ""), False),
    ],
)
async def test_a_scope_flags_what_it_holds(
    place: tuple[str, str], pair: tuple[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Flagged()
    await read_once(one, [{b"k": incident(*place)}], monkeypatch)
    assert one(pair) is expected


async def test_what_can_not_be_read_leaves_it_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Flagged()
    answers = [
        {b"k": incident("310-260", "US")},
        Unreachable("Kafka", "127.0.0.1:9092", "gone"),
        {b"k": b"{"},
    ]
    await read_once(one, answers, monkeypatch)
    assert one(("310-260", "US"))


async def read_once(one: Flagged, answers: list, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer in turn; then it is not wanted any more."""
    monkeypatch.setattr(flagged, "READ_EVERY_S", 0)

    async def read() -> dict[bytes, bytes]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    watching = asyncio.create_task(one.watch(read, lambda: bool(answers)))
    while answers:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
