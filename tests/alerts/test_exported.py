"""What a scrape of the alerts role finds of flags, baselines and attempts to page."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from alerts.explain import Numbers
from alerts.flags import Flag, Nature, last_flagged
from alerts.reconcile import _exemplar
from alerts.records import Severity
from alerts.seen import Seen
from alerts.settings import Settings
from alerts.station import Station
from streams import settings as base
from streams.clock import WallClock
from streams.http import Readiness
from streams.metrics import OPENMETRICS, Metrics, Role
from streams.settings import Clock
from tests.alerts.test_station import NETWORK, SETTINGS, Kafka, log_of, owner, run
from tests.alerts.traffic import RULE, START_S

NUMBERS = Numbers(40, 100, 40, 0.02, 0.01, 0.03, 99.0, 16.0, START_S, START_S + 10)
WARNING = Flag(RULE, "c", "r", Severity.WARNING, 0.4, START_S, Nature.SYSTEMIC, "", NUMBERS)


def exported(station: Station, settings: Settings = SETTINGS) -> Metrics:
    metrics = Metrics(Role.ALERTS)
    Seen(station, Readiness(), WallClock(Clock()), settings).provide(metrics)
    return metrics


async def test_a_flag_that_has_ended_is_shown_as_0_for_ten_minutes() -> None:
    warning, critical = (RULE, "c", "r", "warning"), (RULE, "c", "r", "critical")
    flagged = last_flagged({}, [WARNING, WARNING], START_S)
    assert flagged == {warning: START_S}
    assert last_flagged(flagged, (), START_S + 600) == flagged
    assert last_flagged(flagged, (), START_S + 610) == {}
    worse = last_flagged(flagged, [WARNING._replace(severity=Severity.CRITICAL)], START_S + 10)
    station, _ = await owner(Kafka(), [])
    station.board = replace(station.board, flagged=worse, bucket_s=START_S + 10)
    assert dict(exported(station).flag_active.items()) == {warning: 0, critical: 1}


async def test_over_the_cap_the_baseline_of_flagged_series_is_shown_first() -> None:
    _, _, station = await run(log_of(NETWORK, 300), set())
    last = station.board.expected[0].leaves[-1]
    flag = WARNING._replace(carrier=last[0], region=last[1])
    station.board = replace(station.board, flags=(*station.board.flags, flag))
    capped = msgspec.structs.replace(SETTINGS, metrics=base.Metrics(max_series=2))
    shown = [key for key, _ in exported(station, capped).baseline_failure_ratio.items()]
    assert len(shown) == 2 and (*last, RULE) in shown


@pytest.mark.parametrize(
    ("incident", "fits"), [("ch:r:pair:310-260:US:1784289600", True), ("x" * 118, False)]
)
def test_an_attempt_to_page_names_its_incident_where_openmetrics_allows(incident: str, fits: bool) -> None:
    metrics = Metrics(Role.ALERTS)
    metrics.pager_attempts_total.labels("pagerduty", "accepted").inc(exemplar=_exemplar(incident))
    text, kind = metrics.render("application/openmetrics-text")
    line = next(x for x in text.decode().splitlines() if 'result="accepted"' in x)
    assert kind == OPENMETRICS
    assert (f'# {{incident_id="{incident}"}} 1.0' in line) is fits
