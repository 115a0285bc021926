"""Teaches kafka-python the codecs that its own extras would bring, with cramjam, which we have.

Ingest writes lz4 and users write what they like; kafka-python reads gzip alone by itself. The names
that are set here are not public: a test reads each codec from a real broker.
"""

from __future__ import annotations

from types import SimpleNamespace

import cramjam
from kafka import codec
from kafka.record import default_records


def teach() -> None:
    """Reading lz4, snappy and zstd; harmless when repeated."""
    codec.snappy = SimpleNamespace(decompress=lambda data: bytes(cramjam.snappy.decompress_raw(data)))
    default_records.lz4_decode = lambda data: bytes(cramjam.lz4.decompress(data))
    default_records.zstd_decode = lambda data: bytes(cramjam.zstd.decompress(data))
    for name in ("has_lz4", "has_zstd"):
        setattr(codec, name, lambda: True)
