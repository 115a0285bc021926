"""The ends of the windows station: where a restart begins to read the log of partials."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams import app as windows_app
from streams import journal
from streams.app import WindowsStage
from streams.clock import WallClock
from streams.errors import GapError, LossError
from streams.journal import Assembler
from streams.metrics import Metrics, Role
from streams.records import encode
from streams.rules import RuleBook
from streams.settings import Settings
from streams.shown import Shown
from streams.window import Windows
from tests.streams.logs import GOOD, finals, partial, reach


class FakeApp:
    """Stands for Kafka: keeps what is sent, acknowledges at once."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def topic(self, *_: Any, **__: Any) -> FakeApp:
        return self

    async def send(self, key: bytes, value: bytes) -> Any:
        self.sent.append(value)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def restored(
    monkeypatch: pytest.MonkeyPatch, kept: list[bytes], log: dict[int, bytes] | None = None
) -> tuple[WindowsStage, FakeApp]:
    """A stage that has read its journal; `log` is what the topic of partials still holds."""
    assembler = Assembler()
    complete = [c for i, value in enumerate(kept) if (c := assembler.feed(i, value))]

    async def read_back(*_: Any) -> Any:
        return complete

    async def read_log(_: Any, __: str, start: int, end: int) -> list[tuple[int, bytes, bytes]]:
        return [(o, b"", v) for o, v in sorted((log or {}).items()) if start <= o < end]

    monkeypatch.setattr(windows_app, "read_back", read_back)
    monkeypatch.setattr(windows_app, "read_log", read_log)
    settings, fake = Settings(), FakeApp()
    shown = Shown(Metrics(Role.WINDOWS), RuleBook.of((), ()), WallClock(settings.clock))
    stage = WindowsStage(settings, fake, shown)  # type: ignore[arg-type]
    await stage.restore()
    return stage, fake


def journal_of(*told: Any) -> list[bytes]:
    windows, kept = Windows(lateness_ms=5_000), []
    for offset, p in told:
        for closing in windows.apply(offset, p):
            kept += journal.parts(closing, "first")
    return kept


OPEN = (0, partial([reach(0, 0, 2, 16)], finals(GOOD, 1, 12)))  # leaves a bucket open
IDLE = (0, partial([reach(0, 0, 1, 16)], finals(GOOD, 1)))  # leaves none


async def test_everything_is_written_before_it_may_be_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, fake = await restored(monkeypatch, [])
    await stage.apply(IDLE[0], encode(IDLE[1]))
    assert len(fake.sent) == 1 and stage.low_water == 1


async def test_a_restart_that_begins_past_what_open_buckets_need_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, _ = await restored(monkeypatch, journal_of(OPEN))
    with pytest.raises(GapError, match="open buckets need it from 0"):
        await stage.apply(2, encode(partial([reach(0, 2, 3, 27)])))


@pytest.mark.parametrize("kept", [[], journal_of(OPEN)])
async def test_what_a_rebalance_swallowed_is_read_from_the_log(
    monkeypatch: pytest.MonkeyPatch, kept: list[bytes]
) -> None:
    """Before there is a journal, too: the first record delivered need not be the log's first."""
    stage, fake = await restored(monkeypatch, kept, {0: encode(OPEN[1])})
    await stage.apply(2, encode(partial([reach(0, 2, 2, 27)])))
    whole = Assembler()
    closed = [c for i, v in enumerate([*kept, *fake.sent]) if (c := whole.feed(i, v))]
    assert sum(sum(c.cells.finals) for c in closed) == sum(OPEN[1].cells.finals)


async def test_a_restart_reads_the_open_buckets_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, fake = await restored(monkeypatch, journal_of(OPEN))
    await stage.apply(OPEN[0], encode(OPEN[1]))
    assert fake.sent == []
    await stage.apply(2, encode(partial([reach(0, 2, 2, 27)])))
    [complete] = [c for v in fake.sent if (c := Assembler().feed(0, v))]
    assert sum(complete.cells.finals) == 1


async def test_a_restart_without_open_buckets_takes_the_next_record_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, fake = await restored(monkeypatch, journal_of(IDLE))
    await stage.apply(2, encode(partial([reach(0, 1, 1, 27)])))
    assert len(fake.sent) == 1


async def test_a_loss_says_what_the_operator_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, _ = await restored(monkeypatch, [])
    await stage.apply(0, encode(IDLE[1]))
    with pytest.raises(LossError, match=r"partial 2: lost outcomes-0 \[1,5\).*windows.on_loss = .accept."):
        await stage.apply(2, encode(partial([reach(0, 5, 6, 20)])))
