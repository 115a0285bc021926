"""Why a benchmark has no result."""

from __future__ import annotations

from streams.errors import MonitorError


class BenchFailed(MonitorError):
    """A stage ended, stood still, or counted wrong: its figures would be worthless."""
