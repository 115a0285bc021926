"""A real Kafka and a real Valkey, started by ourselves: no Docker, no system Java, no root.

For the demo and the tests; needs the `demo` extra. Production brings its own broker and store.
"""

from streams.embedded.errors import (
    AlreadyStarted,
    DownloadFailed,
    EmbeddedError,
    NotReady,
    PartMissing,
    PortInUse,
)
from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.secure import Secure
from streams.embedded.valkey import EmbeddedValkey

__all__ = [
    "AlreadyStarted",
    "DownloadFailed",
    "EmbeddedError",
    "EmbeddedKafka",
    "EmbeddedValkey",
    "NotReady",
    "PartMissing",
    "PortInUse",
    "Secure",
]
