"""What a demonstration leaves behind when it is asked to: all that a replay of it needs.

outcomes.jsonl.gz  its records, in the capture format
state.jsonl        what the monitor knew before, as in detector-state
incidents.jsonl    what it made of them, as `incidents list --all --json` prints it
carrier-health.toml
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from alerts.decide import DetectorState
from alerts.demo.configuration import sources_text
from alerts.records import Incident
from alerts.replay.publish import save
from streams.errors import ConfigError
from streams.records import encode
from streams.settings import Source
from streams.simulate.capture import CaptureSink
from streams.simulate.feed import Sink
from streams.simulate.traffic import Emission


class Recording:
    """A folder; made where it is missing. Raises ConfigError where it can not be written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise ConfigError(f"--record {folder}: can not be made: {e.strerror}") from None

    def begin(self, sources: Iterable[Source], known: DetectorState) -> None:
        (self._folder / "carrier-health.toml").write_text(sources_text(sources), encoding="utf-8")
        save(self._folder / "state.jsonl", known)

    def beside(self, sink: Sink) -> Sink:
        """A sink that writes what it is given to both."""
        return _Both(sink, CaptureSink(self._folder / "outcomes.jsonl.gz"))

    def end(self, incidents: Iterable[Incident]) -> None:
        lines = b"".join(encode(one) + b"\n" for one in incidents)
        (self._folder / "incidents.jsonl").write_bytes(lines)


class _Both:
    """First to where it counts, then to the file: what was refused is not recorded."""

    def __init__(self, sink: Sink, file: CaptureSink) -> None:
        self._sink, self._file = sink, file

    def write(self, emission: Emission) -> None:
        self._sink.write(emission)
        self._file.write(emission)

    def tick(self) -> None:
        self._sink.tick()

    def close(self) -> None:
        try:
            self._sink.close()
        finally:
            self._file.close()
