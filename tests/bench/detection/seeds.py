"""Which seeds: the first n after a number that the commit fixes, so that nobody can choose them."""

from __future__ import annotations

import subprocess

FALLBACK = 20_000


def first_seed() -> tuple[int, str]:
    """The number, and where it is from: the first eight hexadecimal digits of the commit's hash."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return FALLBACK, "no git: a fixed number"
    commit = head.stdout.strip()
    return int(commit[:8], 16), f"commit {commit[:12]}"
