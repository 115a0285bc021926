"""Incidents for tests of what is told about them."""

from __future__ import annotations

from alerts.records import Decision, Incident, Severity, State

OPENED_S = 1_700_000_000


def incident(carrier: str = "310-260", opened_s: int = OPENED_S, **changes: object) -> Incident:
    """A warning at a carrier that has just opened and wants its page."""
    fields: dict[str, object] = {
        "key": f"ch:r:carrier:{carrier}:all:{opened_s}",
        "seq": 1,
        "rule": "r",
        "scope": "carrier",
        "carrier": carrier,
        "region": "all",
        "state": State.OPEN,
        "severity": Severity.WARNING,
        "opened_bucket_s": opened_s,
        "detected_ms": (opened_s + 10) * 1000,
        "last_bucket_s": opened_s,
        "reason": Decision.ABOVE_WARNING,
        "warned": True,
        "plain_key_used": True,
    }
    return Incident(**{**fields, **changes})  # type: ignore[arg-type]
