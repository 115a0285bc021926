"""The contract of PagerDuty's Events API v2, as strictly as its documentation states it.

PagerDuty itself forgives some of this; a sender that passes here passes there.
Source: PagerDuty/developer-docs, docs/events-API-v2 (01-Overview, 02-Trigger-Events).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

MAX_BODY_BYTES = 512_000
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
TOP = {
    "routing_key",
    "event_action",
    "dedup_key",
    "payload",
    "links",
    "images",
    "client",
    "client_url",
}
PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}


def errors(event: Any) -> list[str]:
    """Everything that is wrong with the event, in words; empty when it keeps the contract."""
    if not isinstance(event, dict):
        return ["the body is not a JSON object"]
    return [*_top(event), *_payload(event), *_links(event)]


def _top(event: dict[str, Any]) -> Iterator[str]:
    yield from _unknown(event, TOP, "")
    key = event.get("routing_key")
    if not isinstance(key, str) or len(key) != 32:
        yield "'routing_key' must be a string of 32 characters"
    action = event.get("event_action")
    if action not in ACTIONS:
        yield f"'event_action' must be one of {', '.join(ACTIONS)}"
    dedup = event.get("dedup_key")
    if dedup is None and action != "trigger":
        yield "'dedup_key' is required to acknowledge or resolve"
    if dedup is not None and not (isinstance(dedup, str) and 0 < len(dedup) <= 255):
        yield "'dedup_key' must be a string of 1 to 255 characters"
    for name in ("client", "client_url"):
        if name in event and (not isinstance(event[name], str) or action != "trigger"):
            yield f"'{name}' must be a string, and goes with a trigger only"


def _payload(event: dict[str, Any]) -> Iterator[str]:
    payload = event.get("payload")
    if payload is None and event.get("event_action") != "trigger":
        return
    if not isinstance(payload, dict):
        yield "'payload' is required to trigger, and is an object"
        return
    yield from _unknown(payload, PAYLOAD, "payload.")
    yield from _required(payload)
    if "timestamp" in payload and not _is_time(payload["timestamp"]):
        yield "'payload.timestamp' must be an ISO 8601 time with its zone"
    for name in ("component", "group", "class"):
        if name in payload and not isinstance(payload[name], str):
            yield f"'payload.{name}' must be a string"
    if "custom_details" in payload and not isinstance(payload["custom_details"], dict):
        yield "'payload.custom_details' must be an object"


def _required(payload: dict[str, Any]) -> Iterator[str]:
    summary = payload.get("summary")
    if not isinstance(summary, str) or not 0 < len(summary) <= 1024:
        yield "'payload.summary' must be a string of 1 to 1024 characters"
    if not isinstance(payload.get("source"), str) or not payload["source"]:
        yield "'payload.source' must be a string that is not empty"
    if payload.get("severity") not in SEVERITIES:
        yield f"'payload.severity' must be one of {', '.join(SEVERITIES)}"


def _links(event: dict[str, Any]) -> Iterator[str]:
    for name, needed, allowed in (
        ("links", "href", {"href", "text"}),
        ("images", "src", {"src", "href", "alt"}),
    ):
        items = event.get(name, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            yield f"'{name}' must be a list of objects"
            continue
        for item in items:
            address = item.get(needed)
            scheme = ("https://",) if name == "images" else ("http://", "https://")
            if not isinstance(address, str) or not address.startswith(scheme):
                yield f"'{name}.{needed}' must be {' or '.join(scheme)}"
            yield from _unknown(item, allowed, f"{name}.")


def _unknown(given: dict[str, Any], allowed: set[str], where: str) -> Iterator[str]:
    for name in given.keys() - allowed:
        yield f"'{where}{name}' is not a field of the contract"


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False
