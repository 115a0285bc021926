"""The pager: key, address, and one page that opens and resolves again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

import aiohttp
import msgspec

from alerts.doctor.finding import Finding, clock_finding, fail, ok, warn
from alerts.notify import Accepted
from alerts.records import Page, Severity
from alerts.routes import Route, routes_of
from alerts.settings import Settings, check_pager, key_id
from streams.errors import ConfigError
from streams.proxy import proxy_of

_TIMEOUT_S = 5.0


def check_pager_settings(settings: Settings) -> Iterator[Finding]:
    """The shape of keys is refused while loading; here they are there or not."""
    alerting = settings.alerting
    beside = [
        name for name, there in (("slack", settings.slack.wanted), ("webhook", settings.webhook.url)) if there
    ]
    if not settings.pages_somebody:
        found = f"nobody is paged: alerting.mode = '{alerting.mode}', alerting.route = '{alerting.route}'"
        yield warn(
            "pager",
            found,
            "set mode 'page' and a route ('pagerduty', 'alertmanager') when somebody should be",
        )
        if alerting.mode != "page" or not beside:
            return
    if beside:
        yield ok("pager", f"told beside it: {', '.join(beside)}")
    try:
        check_pager(settings)
    except ConfigError as e:
        yield fail("pager", str(e), "copy the integration key of an Events API v2 integration")
        return
    yield from _who_pages(settings)
    if not alerting.public_url:
        yield warn("pager", "alerting.public_url is empty: pages carry no link", "set where people reach it")
    if not alerting.runbook_url:
        yield warn("pager", "alerting.runbook_url is empty: pages carry no runbook", "set its address")


def _who_pages(settings: Settings) -> Iterator[Finding]:
    if settings.pages_by_rule:
        found = "Prometheus pages: it needs the rules of deploy/prometheus/incidents.rules.yaml"
        yield ok("pager", found)
    elif settings.alertmanager.urls:
        yield ok("pager", f"alerts go to {len(settings.alertmanager.members)} members of Alertmanager")
    if not settings.pages_by_pagerduty:
        return
    yield ok("pager", f"routing key has the right shape (key id {key_id(settings.pagerduty.routing_key)})")
    if settings.teams:
        yield ok("pager", f"teams, the first that fits: {', '.join(team.name for team in settings.teams)}")


def check_pager_address(
    settings: Settings, get: Callable[[str], str | None] | None = None
) -> Iterator[Finding]:
    """Any HTTP answer will do. `get` returns the `Date` header of an answer, or raises OSError."""
    for key, url in _addresses(settings):
        try:
            date = (get or _date_of)(url)
        except OSError as e:
            todo = f"check {key}, DNS, proxy and the way out through the firewall"
            yield fail("pager", f"{url} can not be reached: {e}", todo)
            continue
        yield ok("pager", f"{url} answers")
        with_skew = _skew_s(date, time.time())
        if with_skew is not None:
            yield clock_finding("the pager", with_skew, grain_s=1.0)


def _addresses(settings: Settings) -> list[tuple[str, str]]:
    """Setting and URL of whoever pages."""
    if settings.pages_by_pagerduty:
        return [("pagerduty.base_url", settings.pagerduty.base_url)]
    return [("alertmanager.urls", url) for url in settings.alertmanager.members]


def _date_of(url: str) -> str | None:
    return asyncio.run(_head(url))


async def _head(url: str) -> str | None:
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, proxy=proxy_of(url)) as session,
            session.head(url, allow_redirects=False) as answer,
        ):
            return answer.headers.get("Date")
    except (aiohttp.ClientError, TimeoutError) as e:
        raise OSError(str(e) or f"no answer in {_TIMEOUT_S:g} s") from e


def _skew_s(date: str | None, now_s: float) -> float | None:
    try:
        at = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return now_s - (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def send_test_page(settings: Settings) -> Iterator[Finding]:
    """Opens and resolves one page on every route, whatever the mode: for who has just set it up."""
    paging = msgspec.structs.replace(
        settings, alerting=msgspec.structs.replace(settings.alerting, mode="page")
    )
    if paging.pages_by_pagerduty and not settings.pagerduty.routing_key:
        yield fail("test page", "pagerduty.routing_key is empty", "set it and try again")
        return
    routes = routes_of(paging)
    if not routes:
        todo = "set a route; the alert of a Prometheus rule is tried with promtool and amtool"
        yield fail(
            "test page", f"alerting.route = '{settings.alerting.route}': nothing is sent from here", todo
        )
    for route in routes:
        yield from asyncio.run(_send_pair(route))


async def _send_pair(route: Route) -> list[Finding]:
    findings, ref = [], ""
    now_ms = int(time.time() * 1000)
    for seq, action in enumerate(("trigger", "resolve"), 1):
        result = await route.pager.send(msgspec.structs.replace(_page(action, seq, now_ms), ref=ref))
        if isinstance(result, Accepted):
            ref = result.ref
            findings.append(ok("test page", f"{action} accepted by {route.name}"))
            continue
        todo = "check key and address; resolve the page by hand if it was opened"
        findings.append(fail("test page", f"{action}, {route.name}: {result}", todo))
        break
    await route.pager.close()
    return findings


def _page(action: str, seq: int, now_ms: int) -> Page:
    return Page(
        dedup_key=f"ch:doctor:{now_ms}",
        incident_key=f"ch:doctor:{now_ms}",
        action=action,
        seq=seq,
        severity=Severity.WARNING,
        summary="Test page of carrier-health doctor: nothing is wrong, it resolves itself",
        source="carrier-health",
        timestamp_ms=now_ms,
        labels={"severity": "warning", "rule": "doctor"},
    )
