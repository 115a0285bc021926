"""What `--fault` does while the first labelled incident lasts: SIGKILL to roles, or a pager that is down."""

from __future__ import annotations

from collections.abc import Mapping

AFTER_ONSET_S = 10
"""Before the page, so that a role that comes back has it still to do."""

FAULTS: Mapping[str, tuple[str, ...]] = {
    "kill-ingest": ("ingest",),
    "kill-windows": ("windows",),
    "kill-alerts": ("alerts",),
    "kill-all": ("ingest", "windows", "alerts"),
    "pagerduty-down": (),
}
"""Name -> the roles that are killed."""
PAGER_DOWN = "pagerduty-down"
PAGER_DOWN_S = 60.0
"""On the demonstration's clock: the page waits so long that at speed 1 it says how late it is, and the
incident still lasts."""
PAGER_DOWN_STATUS = 503
