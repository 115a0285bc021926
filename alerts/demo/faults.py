"""What `--fault` does: SIGKILL to roles while the first labelled incident lasts."""

from __future__ import annotations

from collections.abc import Mapping

AFTER_ONSET_S = 10
"""Before the page, so that a role that comes back has it still to do."""

FAULTS: Mapping[str, tuple[str, ...]] = {
    "kill-ingest": ("ingest",),
    "kill-windows": ("windows",),
    "kill-alerts": ("alerts",),
    "kill-all": ("ingest", "windows", "alerts"),
}
"""Name -> the roles that are killed."""
