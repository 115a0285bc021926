"""Where downloads are kept between runs, and how two runs keep out of each other's way."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE_VARIABLE = "CARRIER_HEALTH_CACHE"


def cache_dir(given: Path | None = None) -> Path:
    """The parameter, else CARRIER_HEALTH_CACHE, else `carrier-health` in the user's cache directory."""
    if given is not None:
        return given
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "carrier-health"


@contextmanager
def exclusive(cache: Path) -> Iterator[None]:
    """One process at a time fills the cache; the others wait here. The kernel frees the lock of the dead."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
