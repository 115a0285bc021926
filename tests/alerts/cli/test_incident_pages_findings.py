"""What the doctor says of the incident pages."""

from __future__ import annotations

from alerts.doctor.finding import Level
from alerts.doctor.incident_pages import check_incident_pages
from alerts.settings import Alerting, Pages, Settings
from streams.settings import Secret


def found(pages: Pages, url: str = "") -> list[tuple[Level, str]]:
    settings = Settings(pages=pages, alerting=Alerting(public_url=url))
    return [(f.level, f.found) for f in check_incident_pages(settings)]


def test_who_reads_and_who_acts_is_said() -> None:
    assert found(Pages()) == [
        (Level.OK, "whoever reaches the port of the alerts role reads; nobody acts there")
    ]
    both = Pages(
        token=Secret("t" * 16), user_header="X-User", trusted_proxies="10.0.0.1", sign_in_to_read=True
    )
    said = "whoever signs in reads; who acts is known by the proxy's X-User or pages.token"
    assert found(both) == [(Level.OK, said)]


def test_a_token_in_clear_and_a_proxy_that_is_everybody_are_warned_of() -> None:
    token = found(Pages(token=Secret("t" * 16)), "http://sms.example.org")
    assert token[1] == (Level.WARN, "alerting.public_url = http://sms.example.org: the token goes in clear")
    wide = found(Pages(user_header="X-User", trusted_proxies="0.0.0.0/0"))
    assert wide[1] == (Level.WARN, "pages.trusted_proxies: 0.0.0.0/0 is nearly everybody")
