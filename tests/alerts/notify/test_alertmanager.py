"""An alert as Alertmanager wants it, and what several members' answers come to."""

from __future__ import annotations

import socket

import msgspec
import pytest

from alerts.notify import Accepted, InDoubt, Refused, Retry, SendResult
from alerts.notify.alertmanager import GOOD_FOR_MS, Alertmanager, alert, together
from alerts.paging import pages
from alerts.records import Form, Page, Severity, State
from alerts.settings import Alertmanager as AlertmanagerSettings
from tests.alerts.incidents import OPENED_S, incident
from tests.alerts.notify.server import Server, answers, hangs

NOW_MS = (OPENED_S + 60) * 1000


def alerts_of(**changes: object) -> dict[str, Page]:
    """By severity."""
    return {p.labels["severity"]: p for p in pages(incident(**changes), form=Form.ALERT)}  # type: ignore[arg-type]


def labels(page: Page) -> dict[str, str]:
    found: dict[str, str] = alert(page, NOW_MS)["labels"]
    return found


def test_labels_stay_as_they_were_at_opening_whatever_becomes_of_it() -> None:
    opened = alerts_of()["warning"]
    wider = alerts_of(seq=2, current_scope="global", current_carrier="all")["warning"]
    escalated = alerts_of(
        seq=3, severity=Severity.CRITICAL, was_critical=True, critical_key_used=True, current_carrier="all"
    )
    assert labels(opened) == labels(wider) == labels(escalated["warning"])
    assert [escalated[s].action for s in ("warning", "critical")] == ["resolve", "trigger"]
    assert {k: v for k, v in labels(escalated["critical"]).items() if k != "severity"} == {
        k: v for k, v in labels(opened).items() if k != "severity"
    }
    assert alert(wider, NOW_MS)["annotations"]["carrier"] == "all"


def test_what_opened_critical_is_one_alert_from_beginning_to_end() -> None:
    critical = {"severity": Severity.CRITICAL, "warned": False, "was_critical": True}
    opened = alerts_of(**critical)
    less = alerts_of(**{**critical, "severity": Severity.WARNING, "seq": 2})
    over = alerts_of(**critical, state=State.RESOLVED, seq=3, resolved_bucket_s=OPENED_S + 300)
    assert list(opened) == list(less) == list(over) == ["critical"]
    assert [a["critical"].action for a in (opened, less, over)] == ["trigger", "trigger", "resolve"]


def test_an_alert_is_good_for_four_minutes_and_its_end_is_when_it_ended() -> None:
    opened = alert(alerts_of()["warning"], NOW_MS)
    assert opened["startsAt"] == "2023-11-14T22:13:30.000+00:00"
    assert opened["endsAt"] == "2023-11-14T22:18:20.000+00:00" and GOOD_FOR_MS == 240_000
    over = alerts_of(state=State.RESOLVED, resolved_bucket_s=OPENED_S, last_bucket_s=OPENED_S + 30)["warning"]
    assert alert(over, NOW_MS)["endsAt"] == "2023-11-14T22:14:00.000+00:00"
    assert alert(over, NOW_MS + 600_000)["endsAt"] == "2023-11-14T22:14:00.000+00:00"


def test_event_time_ahead_of_the_wall_starts_nothing_in_the_future() -> None:
    page = alerts_of()["warning"]
    for action in ("trigger", "resolve"):
        made = alert(msgspec.structs.replace(page, action=action), 1_000)
        assert made["startsAt"] <= "1970-01-01T00:00:01.000+00:00"
        assert made["endsAt"] >= made["startsAt"]


ACCEPTED, DOUBT, LATER, NEVER = Accepted(), InDoubt("x"), Retry(503), Refused(400)


@pytest.mark.parametrize(
    ("results", "whole"),
    [
        ([LATER, ACCEPTED], ACCEPTED),
        ([NEVER, DOUBT], DOUBT),
        ([NEVER, LATER], LATER),
        ([NEVER, NEVER], NEVER),
    ],
)
def test_one_member_that_takes_it_is_enough(results: list[SendResult], whole: SendResult) -> None:
    assert together(results) == whole


async def test_a_member_that_hangs_is_left_alone_for_a_while() -> None:
    """Forty alerts that wait for it would let those of the others run out."""
    page = alerts_of()["warning"]
    async with Server(behave=hangs) as stuck, Server(behave=answers(200)) as well:
        members = AlertmanagerSettings(urls=f"{stuck.url},{well.url}")
        pager = Alertmanager(members, lambda: NOW_MS, timeout_s=0.1, rest_s=60)
        assert [await pager.send(page) for _ in range(3)] == [Accepted()] * 3
        await pager.close()
    assert (len(stuck.requests), len(well.requests)) == (1, 3)


async def test_when_all_of_them_are_away_all_are_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    pager = Alertmanager(AlertmanagerSettings(urls=f"http://127.0.0.1:{port}"), lambda: NOW_MS)
    for _ in range(2):
        assert isinstance(await pager.send(alerts_of()["warning"]), Retry)
    await pager.close()
