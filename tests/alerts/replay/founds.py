"""Incidents of a backtest, as small as tests need them."""

from __future__ import annotations

from alerts.replay.told import Found

T0_MS = 1_800_000_000_000


def found(carrier: str = "c1", at_s: int = 100, region: str = "all", **changes: object) -> Found:
    """Detected `at_s` after T0, for ten minutes."""
    at_ms = T0_MS + at_s * 1000
    scope = "pair" if region != "all" else "carrier"
    fields: dict[str, object] = {
        "key": f"ch:r:{scope}:{carrier}:{region}:{at_ms // 1000 - 10}",
        "rule": "r",
        "scope": scope,
        "carrier": carrier,
        "region": region,
        "severity": "critical",
        "onset_ms": at_ms - 20_000,
        "detected_ms": at_ms,
        "resolved_ms": at_ms + 600_000,
        "peak_ratio": 0.3,
        "failed": 30,
        "outcomes": 100,
    }
    return Found(**{**fields, **changes})  # type: ignore[arg-type]
