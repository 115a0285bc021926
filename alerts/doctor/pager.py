"""The pager: key, address, and one page that opens and resolves again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

import aiohttp

from alerts.doctor.finding import Finding, clock_finding, fail, ok, warn
from alerts.notify import Accepted
from alerts.notify.pagerduty import PagerDuty
from alerts.records import Page, Severity
from alerts.settings import Settings, check_pager, key_id
from streams.errors import ConfigError
from streams.proxy import proxy_of

_TIMEOUT_S = 5.0


def check_pager_settings(settings: Settings) -> Iterator[Finding]:
    """The shape of the key is refused while loading; here it is there or not."""
    alerting = settings.alerting
    if not settings.pages_somebody:
        found = f"nobody is paged: alerting.mode = '{alerting.mode}', alerting.route = '{alerting.route}'"
        yield warn(
            "pager", found, "/incidents says what would have been; mode 'page' and route 'pagerduty' page"
        )
        return
    try:
        check_pager(settings)
    except ConfigError as e:
        yield fail("pager", str(e), "copy the integration key of an Events API v2 integration")
        return
    yield ok("pager", f"routing key has the right shape (key id {key_id(settings.pagerduty.routing_key)})")
    if not alerting.public_url:
        yield warn("pager", "alerting.public_url is empty: pages carry no link", "set where people reach it")
    if not alerting.runbook_url:
        yield warn("pager", "alerting.runbook_url is empty: pages carry no runbook", "set its address")


def check_pager_address(
    settings: Settings, get: Callable[[str], str | None] | None = None
) -> Iterator[Finding]:
    """Any HTTP answer will do. `get` returns the `Date` header of an answer, or raises OSError."""
    url = settings.pagerduty.base_url
    try:
        date = (get or _date_of)(url)
    except OSError as e:
        todo = "check pagerduty.base_url, DNS, proxy and the way out through the firewall"
        yield fail("pager", f"{url} can not be reached: {e}", todo)
        return
    yield ok("pager", f"{url} answers")
    with_skew = _skew_s(date, time.time())
    if with_skew is not None:
        yield clock_finding("the pager", with_skew, grain_s=1.0)


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
    """Opens and resolves one page, whatever the mode: for the person who has just set it up."""
    if not settings.pagerduty.routing_key:
        yield fail("test page", "pagerduty.routing_key is empty", "set it and try again")
        return
    yield from asyncio.run(_send_pair(settings))


async def _send_pair(settings: Settings) -> list[Finding]:
    findings = []
    now_ms = int(time.time() * 1000)
    async with PagerDuty(settings.pagerduty, settings.incidents_url) as pager:
        for seq, action in enumerate(("trigger", "resolve"), 1):
            result = await pager.send(_page(action, seq, now_ms))
            if isinstance(result, Accepted):
                findings.append(ok("test page", f"{action} accepted by {settings.pagerduty.base_url}"))
                continue
            todo = "check key and address; resolve the page by hand if it was opened"
            findings.append(fail("test page", f"{action}: {result}", todo))
            break
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
    )
