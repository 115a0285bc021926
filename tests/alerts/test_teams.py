"""Who is paged: the first team that fits, decided once."""

from __future__ import annotations

import msgspec
import pytest

from alerts.audience import frozen, wanted
from alerts.records import Delivery, Form, People, Severity, Silenced
from alerts.settings import Team
from alerts.teams import team_of
from streams.settings import Secret
from tests.alerts.incidents import incident

KEY = Secret("0123456789abcdef0123456789abcdef")
TEAMS = (
    Team(name="us", routing_key=KEY, carriers=("310-*", "311-*"), regions=("US*", "all")),
    Team(name="smpp", routing_key=KEY, rules=("smpp_*",)),
    Team(name="worst", routing_key=KEY, severities=("critical",)),
    Team(name="logins", routing_key=KEY, time_critical_share=0.2),
    Team(name="numbers", routing_key=KEY, scopes=("sender",)),
)


@pytest.mark.parametrize(
    ("changes", "team"),
    [
        ({}, "us"),
        ({"region": "US-CA"}, "us"),
        ({"region": "CA"}, ""),
        ({"carrier": "234-10"}, ""),
        ({"carrier": "234-10", "rule": "smpp_absent_subscriber"}, "smpp"),
        ({"rule": "smpp_absent_subscriber"}, "us"),
        ({"carrier": "234-10", "severity": Severity.CRITICAL}, "worst"),
        ({"scope": "global", "carrier": "all"}, ""),
        ({"carrier": "234-10", "scope": "sender"}, "numbers"),
        ({"carrier": "234-10", "failed": 50, "time_critical": 10}, "logins"),
        ({"carrier": "234-10", "failed": 50, "time_critical": 9}, ""),
    ],
)
def test_the_first_that_fits_in_everything_it_names(changes: dict[str, object], team: str) -> None:
    assert team_of(incident(**changes), TEAMS) == team  # type: ignore[arg-type]


def test_what_was_decided_stays_whatever_changes() -> None:
    (first,) = frozen([incident(carrier="234-10")], {}, TEAMS, 10)
    assert first.team == ""
    worse = msgspec.structs.replace(first, severity=Severity.CRITICAL, seq=2, team=None)
    (still,) = frozen([worse], {first.key: first}, TEAMS, 10)
    assert (still.team, still.seq) == ("", 2)


def test_nothing_is_decided_before_a_page_is_wanted() -> None:
    spike = incident(severity=Severity.INFO, warned=False, plain_key_used=False)
    (quiet,) = frozen([spike], {}, TEAMS, 10)
    assert (quiet.team, quiet.storm) == (None, None)


def test_an_incident_that_an_older_version_has_paged_stays_with_the_default() -> None:
    old = incident(deliveries=(Delivery("pagerduty", "k", "trigger", 1, 0),))
    (kept,) = frozen([msgspec.structs.replace(old, seq=2)], {old.key: old}, TEAMS, 10)
    assert (kept.team, kept.storm) == ("", "")


def test_what_is_silenced_is_decided_when_the_silence_ends() -> None:
    silence = Silenced("s", 0, "ann", "maintenance")
    held = incident(people=People(silence=silence))
    (quiet,) = frozen([held], {}, TEAMS, 10)
    assert quiet.team is None
    assert [p.form for p in wanted(quiet, [quiet], lambda _: (), str)] == []
    (heard,) = frozen([incident(seq=2)], {quiet.key: quiet}, TEAMS, 10)
    assert heard.team == "us"
    assert {p.form for p in wanted(heard, [heard], lambda _: (), str)} == set(Form)


def test_what_a_person_has_closed_is_over_for_every_way() -> None:
    (one,) = frozen([incident()], {}, TEAMS, 10)
    closed = msgspec.structs.replace(one, seq=2, people=People(closed_ms=1, closed_by="ann"))
    assert {(p.form, p.action) for p in wanted(closed, [closed], lambda _: (), str)} == {
        (form, "resolve") for form in Form
    }
