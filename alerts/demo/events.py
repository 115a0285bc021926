"""What the demonstration tells, as it happens: one JSON object a line, or a line for people.

Every event has `event` and `at_ms` (epoch milliseconds on the demonstration's clock, which
`--speed` scales; all times ending in `_ms` are on it). Seconds are of that clock too, unless named
`wall_s`.

- `progress`: `part` (`history`, `kafka`, `redis`, `pager`, `topics`, `ingest`, `windows`, `alerts`), `state`
  (`starting`, `ready`), `wall_s` since the command began
- `started`: `scenario`, `seed`, `speed`, `start_ms` (of the traffic), `wall_s`, `versions`, `kafka`,
  `redis`, `urls` (`incidents`, `pager`, `ingest`, `windows`, `alerts`),
  `pages_token` (to sign in with on the incident pages), `directory`
- `label`: `action` (`begin`, `end`), `rule`, `scope`, `carrier`, `region`, `ratio`, `onset_ms`,
  `end_ms`: from the ledger of the truth, which the monitor never sees
- `rate`: `records` written so far, `records_per_s` of wall time since the last
- `flag`: `action` (`raised`, `cleared`), `rule`, `carrier`, `region`, `severity`
- `incident`: `action` (`opened`, `escalated`, `stepped_down`, `scope_changed`, `resolved`, `reopened`),
  `key`, `rule`, `scope`, `carrier`, `region`, `severity`, `ratio`, `peak_ratio`, `expected_ratio`,
  `failed`, `outcomes`, `onset_ms` (estimated), `detected_ms` (end of the deciding bucket),
  `resolved_ms`, `labelled` (whether it is what the ledger says), `label_onset_ms`, `bucket_delay_s`
  (`detected_ms` less `label_onset_ms`), `url`
- `page`: `action` (`trigger`, `resolve`), `effect` (`opened`, `repeated`, `resolved`, `dropped`; '' when
  refused), `status`, `notified` (whether it wakes somebody), `dedup_key`, `key` (of the incident),
  `severity`, `summary`, `timestamp` (ISO 8601: when it was detected, however late the page is), `onset_ms`
  (labelled), `page_ms`, `delay_s` (`page_ms` less `onset_ms`; of a
  resolve less the labelled end), `bucket_delay_s`, `url`
- `fault`: `name`, `role`, `pid`: that process got SIGKILL; `over` (of `pagerduty-down`: false when the pager
  begins to answer 503, true when it takes pages again)
- `role`: `role`, `action` (`started`, `ended`, `refused`, `killed`), `exit_code`, `again_in_s`,
  `last_line` of its log when it ended by itself
- `recipients`: at the end of `--once`: `listed` by `recipients export`, `missing` and `surplus` beside those
  that the ledger of the truth knows: numbers that are dead
- `done`: `ok`, `reason`, `records`, `incidents`, `unlabelled`, `triggers`, `resolves`, `wall_s`

Fields that do not apply are null.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

Event = dict[str, Any]
Tell = Callable[[Event], None]

PARTS = {
    "history": "what 14 days of counts teach of normal",
    "kafka": "Apache Kafka",
    "redis": "Valkey (speaks Redis)",
    "pager": "the PagerDuty-compatible receiver",
    "topics": "topics",
}


class Teller:
    """Writes events to stdout. `now_ms` stamps them; until `begin` people see wall seconds."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._begin_ms: int | None = None

    def begin(self, start_ms: int) -> None:
        """From now on people see seconds since the traffic began."""
        self._begin_ms = start_ms

    def __call__(self, event: Event) -> None:
        if self._json:
            click.echo(json.dumps(event))
            return
        if self._begin_ms is None:
            click.echo(in_words(event))
        else:
            click.echo(f"{(event['at_ms'] - self._begin_ms) / 1000:7.1f} s  {in_words(event)}")


def in_words(event: Event) -> str:
    """One event as a person would say it."""
    return _WORDS[event["event"]](event)


def where(event: Event) -> str:
    """The scope of a label or an incident, short."""
    kind, carrier, region = (event[name] for name in ("scope", "carrier", "region"))
    if kind == "global":
        return "all carriers and regions"
    if kind == "carrier":
        return f"carrier {carrier}"
    return f"region {region}" if kind == "region" else f"carrier {carrier} in {region}"


def _progress(e: Event) -> str:
    what = PARTS.get(e["part"], f"role {e['part']}")
    return f"{what}: {e['state']} ({e['wall_s']:.1f} s)"


def _started(e: Event) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in e["versions"].items())
    pace = "" if e["speed"] == 1 else f", {e['speed']:g} times as fast as life"
    return (
        f"everything runs ({versions})\n"
        f"           scenario {e['scenario']}, seed {e['seed']}{pace}; logs in {e['directory']}\n"
        f"           incidents: {e['urls']['incidents']}, to act there sign in with {e['pages_token']}\n"
        f"           metrics:   {e['urls']['windows']}/metrics (and {_others(e)})"
    )


def _others(e: Event) -> str:
    return ", ".join(f"{e['urls'][role]}/metrics" for role in ("ingest", "alerts"))


def _label(e: Event) -> str:
    what = f"{e['rule']}, {where(e)}"
    if e["action"] == "end":
        return f"TRUTH    the labelled incident ends: {what}"
    return f"TRUTH    a labelled incident begins: {what}, {e['ratio']:.0%} fail"


def _rate(e: Event) -> str:
    return f"traffic  {e['records_per_s']:,.0f} records/s, {e['records']:,} written"


def _flag(e: Event) -> str:
    return f"flag     {e['action']}: {e['rule']} {e['carrier']}/{e['region']} ({e['severity']})"


def _incident(e: Event) -> str:
    text = f"INCIDENT {e['action'].replace('_', ' ')}: {e['rule']}, {where(e)}, {e['severity']}"
    if e["action"] == "opened":
        delay = _after(e["bucket_delay_s"], "its bucket ended", "the labelled onset")
        told = "" if e["labelled"] else "; not as labelled"
        return f"{text}, {e['ratio']:.0%} failing{delay}{told}\n           {e['url']}"
    if e["action"] == "resolved":
        return f"{text}; {e['failed']:,} of {e['outcomes']:,} had failed, peak {e['peak_ratio']:.0%}"
    return text


def _page(e: Event) -> str:
    if not e["effect"]:
        return f"PAGE     {e['action']} was refused with {e['status']}: {e['dedup_key']}"
    if e["action"] == "resolve":
        delay = _after(e["delay_s"], "", "the labelled end")
        return f"PAGE     resolve ({e['effect']}){delay}: {e['dedup_key']}"
    woken = "somebody is woken" if e["notified"] else f"nobody is woken ({e['effect']})"
    delay = _after(e["delay_s"], "", "the labelled onset")
    if delay and e["bucket_delay_s"] is not None:
        delay += f" ({e['bucket_delay_s']:.1f} s of it until the end of the deciding bucket)"
    return f"PAGE     trigger, {e['severity']}, {woken}{delay}\n           {e['summary']}"


def _after(delay_s: float | None, what: str, event: str) -> str:
    if delay_s is None:
        return ""
    return f", {what} {delay_s:.1f} s after {event}".replace(",  ", ", ")


def _fault(e: Event) -> str:
    if e["role"] is None:
        return f"FAULT    {e['name']}: {'over' if e['over'] else 'the pager answers 503'}"
    return f"FAULT    {e['name']}: SIGKILL to {e['role']} (process {e['pid']})"


def _role(e: Event) -> str:
    if e["action"] == "ended":
        text = f"role     {e['role']} ended (exit code {e['exit_code']}), again in {e['again_in_s']:g} s"
        return f"{text}\n           {e['last_line']}" if e["last_line"] else text
    return f"role     {e['role']} {e['action']}"


def _recipients(e: Event) -> str:
    same = not e["missing"] and not e["surplus"]
    told = "as the truth says" if same else f"{e['missing']} are missing, {e['surplus']} are too many"
    return f"LIST     {e['listed']} recipients that messages do not reach: {told}"


def _done(e: Event) -> str:
    counts = (
        f"records {e['records']:,}, incidents {e['incidents']} ({e['unlabelled']} not as labelled), "
        f"pages {e['triggers']}, of them resolved {e['resolves']}"
    )
    return f"{'done' if e['ok'] else 'FAILED'}: {e['reason']}; {counts}"


_WORDS: dict[str, Callable[[Event], str]] = {
    "progress": _progress,
    "started": _started,
    "label": _label,
    "rate": _rate,
    "flag": _flag,
    "incident": _incident,
    "page": _page,
    "fault": _fault,
    "role": _role,
    "recipients": _recipients,
    "done": _done,
}
