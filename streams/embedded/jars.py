"""Class paths, Kafka's above all: resolved and downloaded once, then read from an index of our own."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streams.embedded.cache import exclusive
from streams.embedded.errors import DownloadFailed, PartMissing

if TYPE_CHECKING:
    from jgo.maven import MavenContext

_INDEX = "classpath.json"
_RUNTIME_SCOPES = (None, "compile", "runtime")
_REQUEST_TIMEOUT_S = 30
# Kafka logs through slf4j 1.7 and brings no backend. This one writes to stderr, which is our log file,
# in a single jar and without a configuration file.
_LOGGING = "org.slf4j:slf4j-simple:1.7.36"


def kafka_home(cache: Path, version: str) -> Path:
    """What the cache holds of one version of Kafka."""
    return cache / f"kafka-{version}"


def kafka_jars(cache: Path, version: str) -> list[Path]:
    """The jars of this version in class path order; see `jars`."""
    return jars(cache, kafka_home(cache, version), f"org.apache.kafka:kafka_2.13:{version}")


def jars(cache: Path, home: Path, *artifacts: str) -> list[Path]:
    """The jars of Maven artifacts in class path order, downloaded into `home` if any is missing.

    Raises DownloadFailed, and PartMissing if jgo is needed and not installed.
    """
    if found := _indexed(home):
        return found
    with exclusive(cache):
        # Another process may have filled the cache while we waited for the lock.
        return _indexed(home) or _download(cache, home, artifacts)


def _indexed(home: Path) -> list[Path] | None:
    """The jars that the index names; None if there is none, or if a jar has gone since."""
    try:
        names: list[str] = json.loads((home / _INDEX).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    jars = [home / "jars" / name for name in names]
    return jars if all(jar.exists() for jar in jars) else None


def _download(cache: Path, home: Path, artifacts: Sequence[str]) -> list[Path]:
    """Call with the lock held. The index is written last, so that half a download is never used."""
    part = cache / "part"
    shutil.rmtree(part, ignore_errors=True)  # jgo trusts what it finds, truncated or not
    downloaded = _resolve(part, artifacts, cache)
    (home / "jars").mkdir(parents=True, exist_ok=True)
    jars = [_move(jar, home / "jars") for jar in downloaded]
    _write_index(home, jars)
    shutil.rmtree(part)
    return jars


def _resolve(repository: Path, artifacts: Sequence[str], cache: Path) -> list[Path]:
    maven = _maven(repository)
    try:
        inputs = [maven.create_dependency(name) for name in (*artifacts, _LOGGING)]
        direct, transitive = maven.resolver.resolve(inputs)
        wanted = [dep.artifact for dep in [*direct, *transitive] if dep.scope in _RUNTIME_SCOPES]
        return [each.resolve() for each in wanted]
    except Exception as error:  # jgo lets through errors of requests, of XML, of the disk, and its own
        raise DownloadFailed(", ".join(artifacts), maven.remote_repos.values(), cache, error) from error


def _maven(repository: Path) -> "MavenContext":
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise PartMissing("jgo") from error
    # jgo as a library does not look into its own configuration file; a mirror named there must win.
    remotes = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    return MavenContext(repo_cache=repository, remote_repos=remotes, timeout=_REQUEST_TIMEOUT_S)


def _move(jar: Path, to: Path) -> Path:
    return jar.replace(to / jar.name)


def _write_index(home: Path, jars: list[Path]) -> None:
    unfinished = home / f"{_INDEX}.part"
    unfinished.write_text(json.dumps([jar.name for jar in jars], indent=1))
    os.replace(unfinished, home / _INDEX)
