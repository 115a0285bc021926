"""Memory, open files and threads of the roles over time, so that a leak shows."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tests.faults.cluster import Cluster

EVERY_S = 5.0
SETTLED_AFTER_S = 60.0
"""Of a process's life, as a standby or as an owner: what it takes until then is no leak."""
STANDS_BY = "stands by"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """Of one process at one moment. `at_s` of the monotonic clock."""

    at_s: float
    rss_mb: float
    files: int
    threads: int


class Leaks:
    """Looks at each role every few seconds; a process that is started anew is another one, and so is a
    standby that becomes the owner: it opens what an owner needs."""

    def __init__(self) -> None:
        self.samples: defaultdict[tuple[str, int, bool], list[Sample]] = defaultdict(list)
        self._looked_at = 0.0

    def look(self, cluster: Cluster) -> None:
        now = time.monotonic()
        if now - self._looked_at < EVERY_S:
            return
        self._looked_at = now
        for role in cluster.roles.values():
            if role.running and (sample := _sample(role.pid, now)):
                stands_by = any(STANDS_BY in reason for reason in role.reasons())
                self.samples[role.kind, role.pid, stands_by].append(sample)

    def figures(self) -> dict[str, float]:
        """By role: the highest memory and number of files, and by how much the process that lived longest
        grew from its first settled minute to its last, as a share (memory) or a number (files, threads)."""
        told: dict[str, float] = {}
        for kind in sorted({kind for kind, *_ in self.samples}):
            lives = [life for (k, *_), life in self.samples.items() if k == kind]
            told[f"peak_rss_mb_{kind}"] = max(s.rss_mb for life in lives for s in life)
            told[f"peak_files_{kind}"] = max(s.files for life in lives for s in life)
            longest = max(lives, key=lambda life: life[-1].at_s - life[0].at_s)
            told |= {f"{name}_{kind}": value for name, value in _growth(longest).items()}
        return told


def _growth(life: list[Sample]) -> dict[str, float]:
    settled = [s for s in life if s.at_s - life[0].at_s >= SETTLED_AFTER_S]
    if len(settled) < 2:
        return {}
    span = max(1, len(settled) // 4)
    first, last = settled[:span], settled[-span:]
    return {
        "lived_s": settled[-1].at_s - life[0].at_s,
        "rss_grew": max(s.rss_mb for s in last) / max(s.rss_mb for s in first) - 1,
        "files_more": max(s.files for s in last) - max(s.files for s in first),
        "threads_more": max(s.threads for s in last) - max(s.threads for s in first),
    }


def _sample(pid: int, now: float) -> Sample | None:
    """None where the process has just ended."""
    proc = Path("/proc", str(pid))
    try:
        resident = int((proc / "statm").read_text().split()[1])
        return Sample(
            now, resident * PAGE_BYTES / 1e6, len(os.listdir(proc / "fd")), len(os.listdir(proc / "task"))
        )
    except OSError:
        return None
