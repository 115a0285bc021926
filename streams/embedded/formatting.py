"""Formatting the storage of a KRaft node, which Kafka wants done before the first start."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from streams.embedded.binaries import java
from streams.embedded.broker_settings import write_properties
from streams.embedded.cache import exclusive
from streams.embedded.errors import NotReady

_CHEAP_JVM = ("-Xshare:auto", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_TIMEOUT_S = 60
_META = "meta.properties"


def format_store(store: Path, home: Path, settings: Mapping[str, str], class_path: str) -> None:
    """Fills `store` with a formatted, empty storage; does nothing if there is one already.

    What StorageTool writes depends on the version of Kafka, not on ports or paths, but for two lines that
    say whose storage it is. As it needs a JVM of its own for a second, it runs once for a version, into
    `home` in the cache; after that we copy, and write these lines. So all nodes have one cluster id.
    Raises NotReady if StorageTool fails.
    """
    if (store / _META).exists():
        return
    blank = home / "formatted"
    with exclusive(home.parent):
        if not blank.exists():
            _format_blank(blank, settings, class_path)
    shutil.copytree(blank, store, dirs_exist_ok=True, ignore=shutil.ignore_patterns(_META))
    part = store / f"{_META}.part"
    part.write_text(_of_node((blank / _META).read_text("utf-8"), settings["node.id"]), "utf-8")
    part.rename(store / _META)  # last, and at once: it says that the storage is complete


def _of_node(meta: str, node_id: str) -> str:
    """The lines of a meta.properties as they are for a new storage of this node."""
    own = {"node.id": node_id, "directory.id": random_id()}
    pairs = (line.partition("=") for line in meta.splitlines() if not line.startswith("#"))
    return "".join(f"{key}={own.get(key, value)}\n" for key, _, value in pairs)


def _format_blank(blank: Path, settings: Mapping[str, str], class_path: str) -> None:
    """Formats beside the goal and renames, so that half a storage is never copied."""
    part = blank.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    properties = blank.with_suffix(".properties")
    write_properties({**settings, "log.dirs": str(part)}, properties)
    _run_storage_tool(properties, blank.with_suffix(".log"), class_path)
    part.rename(blank)


def _run_storage_tool(properties: Path, log_file: Path, class_path: str) -> None:
    tool = [str(java()), *_CHEAP_JVM, "-cp", class_path, "kafka.tools.StorageTool"]
    arguments = ["format", "--cluster-id", random_id(), "--config", str(properties)]
    try:
        with log_file.open("wb") as log:
            subprocess.run(
                [*tool, *arguments], stdout=log, stderr=subprocess.STDOUT, timeout=_TIMEOUT_S, check=True
            )
    except subprocess.SubprocessError as error:
        raise NotReady("kafka", f"could not be formatted ({type(error).__name__})", log_file) from error


def random_id() -> str:
    """A random UUID in Kafka's spelling: URL-safe base 64 of its 16 bytes, without padding. As in Kafka, none
    that begins with a dash, which its tools would take for an option."""
    while (spelled := urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return spelled
