"""When nothing is seen, nothing is decided: incidents stay as they were, and pages say `unknown`.

One character is ten minutes: `.` healthy, `w` 7 %, `C` 40 %, `r` ends as recovered, `o` no outcome at all.
"""

from __future__ import annotations

from typing import Any

import pytest

from alerts.decide import begin, decide
from alerts.paging import pages
from alerts.records import Incident, Severity, State
from alerts.seen import Seen
from alerts.settings import Alerting, Settings
from alerts.sight import Sight
from alerts.station import Board
from streams.http import Readiness
from streams.metrics import Metrics, Role
from streams.records import BUCKET_S
from tests.alerts.test_incident import POLICY, bucket
from tests.alerts.traffic import RULE, START_S

DAY_S, WEEK_S = 86_400, 7 * 86_400
NOTHING: dict[str, Any] = {RULE: {}}


def ill(mark: str) -> tuple[Any, Incident]:
    """State and incident after two calm minutes and six of failure."""
    state = begin(POLICY, (RULE,))
    for at, drawn in enumerate("." * 12 + mark * 36):
        state, decided = decide(state, POLICY, START_S + BUCKET_S * at, bucket(drawn, at))
    (incident,) = decided.incidents
    return state, incident


@pytest.mark.parametrize(("mark", "severity"), [("w", Severity.WARNING), ("C", Severity.CRITICAL)])
@pytest.mark.parametrize("for_s", [3600, DAY_S + 3600, WEEK_S + 3600], ids=["an hour", "a day", "a week"])
def test_an_incident_stays_as_it_was_while_no_outcome_comes(
    mark: str, severity: Severity, for_s: int
) -> None:
    state, before = ill(mark)
    step_s = BUCKET_S if for_s < DAY_S else for_s // 200 // BUCKET_S * BUCKET_S
    happened: list[str] = []
    for bucket_s in range(state.bucket_s + step_s, state.bucket_s + for_s, step_s):
        state, decided = decide(state, POLICY, bucket_s, NOTHING)
        happened += [t.what for t in decided.transitions]
    (after,) = decided.incidents
    assert happened == []
    assert (after.state, after.severity) == (State.OPEN, severity)
    assert after.ratio > 0.5 * before.ratio, "the last that was known, not 0 %"
    assert [p.action for p in pages(after)] == [p.action for p in pages(before)] == ["trigger"]
    assert after.last_bucket_s == state.bucket_s


def test_what_was_nearly_recovered_is_not_resolved_by_silence() -> None:
    state, _ = ill("C")
    at = state.bucket_s
    for i in range(2):  # twenty good seconds: surely better, but not for long enough
        at += BUCKET_S
        state, decided = decide(state, POLICY, at, bucket(".", i))
        assert not [t for t in decided.transitions if t.what == "resolved"]
    for _ in range(360):
        at += BUCKET_S
        state, decided = decide(state, POLICY, at, NOTHING)
        assert not [t for t in decided.transitions if t.what == "resolved"]
    assert decided.incidents[0].state is State.OPEN


def test_it_ends_once_outcomes_say_so_again() -> None:
    state, _ = ill("C")
    at, happened = state.bucket_s, []
    for i in range(360 + 30):
        at += BUCKET_S
        state, decided = decide(state, POLICY, at, NOTHING if i < 360 else bucket(".", i))
        happened += [(i, t.what) for t in decided.transitions]
    ended = [i for i, what in happened if what == "resolved"]
    assert len(ended) == 1 and ended[0] > 360 and min(happened)[0] >= 360


# -- what is said ----------------------------------------------------------------------------------


class Clock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def now_ms(self) -> int:
        return int(self.now_s * 1000)


class Shown:
    """The station as its viewers know it."""

    def __init__(self, board: Board) -> None:
        self.board = board

    display = staticmethod(str)


def seen(board: Board, now_s: float, settings: Settings | None = None) -> Seen:
    readiness = Readiness("partitions")
    readiness.set("partitions", True)
    return Seen(Shown(board), readiness, Clock(now_s), settings or Settings())  # type: ignore[arg-type]


def metric(one: Seen, name: str) -> dict[str, float]:
    metrics = Metrics(Role.ALERTS)
    one.provide(metrics)
    lines = metrics.render()[0].decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name)}


def board(outcome_s: int, canary_s: int = START_S, bucket_s: int = START_S) -> Board:
    return Board(bucket_s=bucket_s, sight=Sight(outcome_s, canary_s))


BLIND = "carrier_health_blind"


@pytest.mark.parametrize(
    ("shown", "now_s", "words", "reason"),
    [
        (board(START_S), START_S + 30, None, None),
        (board(START_S - 300), START_S + 30, None, None),
        (board(START_S - 310), START_S + 30, "no outcome has come for 310 s", "no_outcomes"),
        (board(START_S), START_S + 90, "newest closed bucket ended 80 s ago", "windows_silent"),
        (Board(), START_S, "no closed bucket has been read", "windows_silent"),
    ],
)
def test_why_nothing_can_be_said_is_named(
    shown: Board, now_s: float, words: str | None, reason: str | None
) -> None:
    one = seen(shown, now_s)
    told = one.blind()
    assert told is None if words is None else words in str(told)
    assert one.page_data().blind == told
    blind = {name for name, value in metric(one, BLIND).items() if value}
    assert blind == (set() if reason is None else {f'{BLIND}{{reason="{reason}"}}'})


def test_a_silence_of_any_length_can_be_allowed() -> None:
    settings = Settings(alerting=Alerting(no_outcomes_s=0))
    assert seen(board(START_S - DAY_S), START_S + 30, settings).blind() is None


CANARY = "carrier_health_canary_last_seen_timestamp_seconds"


def test_the_canary_is_told_by_the_owner_alone() -> None:
    one = seen(board(START_S, canary_s=START_S - 20), START_S)
    assert metric(one, CANARY) == {CANARY: START_S - 20 + BUCKET_S}
    assert metric(seen(Board(), START_S), CANARY) == {CANARY: 0}
    one._readiness.set("partitions", False, "stands by")
    assert metric(one, CANARY) == {}
    assert metric(seen(board(START_S), START_S, Settings(alerting=Alerting(canary_s=0))), CANARY) == {}
