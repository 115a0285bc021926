"""`carrier-health decode`: provider records in, normalised outcomes out, one JSON object a line."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from alerts.cli.record_stream import Read, records
from alerts.cli.when import When
from alerts.progress import Progress
from alerts.settings import load
from streams import settings
from streams.codes import CodeBook
from streams.decode import FORMATS
from streams.errors import ConfigError
from streams.networks import networks_of
from streams.prefix import PrefixOf
from streams.privacy import DEMO_KEY, RecipientHasher
from streams.records import Malformed, Outcome, Reading
from streams.region import RegionOf
from streams.source import Source, outcome

BATCH = 5_000
BATCH_BYTES = 4_000_000


class Normaliser(NamedTuple):
    """Everything that turns records into lines. `received_ms` None: the record's own, else now."""

    source: Source
    received_ms: int | None
    region_of: RegionOf
    hasher: RecipientHasher
    prefix_of: PrefixOf | None

    def lines(self, values: list[bytes]) -> Iterator[tuple[bool, bytes]]:
        """(readable, JSON line) of each outcome in the values, in order."""
        if self.source.open is not None:
            values = [piece for value in values for piece in self.source.open(value)]
        for reading in self.source.decoder.decode_batch(values):
            result = reading if isinstance(reading, Malformed) else self._outcome(reading)
            yield isinstance(result, Outcome), _json(result)

    def _outcome(self, reading: Reading) -> Outcome | Malformed:
        received_ms = self.received_ms if self.received_ms is not None else reading.received_ms
        now_ms = time.time_ns() // 1_000_000
        return outcome(
            self.source,
            reading,
            now_ms if received_ms is None else received_ms,
            self.region_of,
            self.hasher,
            self.prefix_of,
        )


@click.command()
@click.option("--source", "name", metavar="NAME", help="A source of the configuration.")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="The format, without a source.")
@click.option("--codes", metavar="PROFILE", help="With --format: the code profile; each format has one.")
@click.option(
    "--received",
    "received_ms",
    type=When(),
    help="Receipt time, ISO 8601 or epoch ms. [the record's, or now]",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="CARRIER_HEALTH_CONFIG",
    help="The configuration file.",
)
@click.option("--progress", is_flag=True, help="Says how far it is where stderr is no terminal, too.")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def decode(
    name: str | None,
    form: str | None,
    codes: str | None,
    received_ms: int | None,
    config: Path | None,
    progress: bool,
    files: tuple[str, ...],
) -> None:
    """Show what the monitor makes of provider records.

    Reads FILES, or standard input: one record a line, or a JSON array, or a form body. Prints one
    JSON object a record, in input order. A record that can not be read gives
    {"error": …, "detail": …} on its line, and exit code 1 at the end. Files may be of any size:
    memory holds a few thousand records.

    \b
    Examples:
      carrier-health decode --format smpp-receipt receipts.txt
      carrier-health decode --source twilio < callback.txt
    """
    normaliser = _normaliser(name, form, codes, received_ms, config)
    shown = Progress(quiet=not (progress or sys.stderr.isatty()), of="of about")
    try:
        readable = _write(normaliser, Input(files or ("-",)), shown)
    finally:
        shown.finish()
    sys.exit(0 if readable else 1)


def _write(normaliser: Normaliser, given: Input, shown: Progress) -> bool:
    """Whether every record could be read."""
    out = click.get_binary_stream("stdout")
    readable, done = True, 0
    shown.begin("records")
    for values in given.batches():
        for good, line in normaliser.lines(values):
            readable &= good
            out.write(line + b"\n")
        done += len(values)
        shown.update(done, given.records_in_all(done))
    out.flush()
    return readable


def _normaliser(
    name: str | None, form: str | None, codes: str | None, received_ms: int | None, config: Path | None
) -> Normaliser:
    if (name is None) == (form is None):
        raise click.UsageError("give either --source NAME or --format FORMAT")
    if name is not None and codes is not None:
        raise click.UsageError("--codes goes with --format; a source has its own code profile")
    try:
        resolved = load(config)
        networks = networks_of(resolved.carriers.file, resolved.carriers.roll_up)
        hasher = RecipientHasher(resolved.privacy.recipient_key or _demo_key())
        tables = CodeBook(resolved.code_tables)
        source = Source.of(_source(resolved, name, form or "", codes or ""), tables, networks, hasher=hasher)
    except ConfigError as e:
        raise click.UsageError(str(e)) from None
    prefix_of = PrefixOf(networks, RegionOf()) if resolved.carriers.prefix else None
    return Normaliser(source, received_ms, RegionOf(source.config.region_level), hasher, prefix_of)


def _source(resolved: settings.Settings, name: str | None, form: str, codes: str) -> settings.Source:
    if name is None:
        return settings.Source(name=form, format=form, codes=codes)
    for source in resolved.sources:
        if source.name == name:
            return source
    known = ", ".join(s.name for s in resolved.sources) or "none; give --config"
    raise click.UsageError(f"no source '{name}' in the configuration; there are: {known}")


def _demo_key() -> settings.Secret:
    click.echo(
        "privacy.recipient_key is not set: recipients are hashed with a public demonstration key.", err=True
    )
    return DEMO_KEY


class Input:
    """The files to read, one after the other, and how much of them was read."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self._files = files
        self._read_bytes = 0
        self._bytes = _size(files)

    def batches(self) -> Iterator[list[bytes]]:
        for path in self._files:
            with click.open_file(path, "rb") as file:
                yield from _batches(records(self._metered(file.read)))

    def records_in_all(self, done: int) -> int | None:
        """About how many there are when `done` came out of what was read; None while nobody knows."""
        if self._bytes is None or not self._read_bytes:
            return None
        return max(done, round(done * self._bytes / self._read_bytes))

    def _metered(self, read: Read) -> Read:
        def metered(most: int) -> bytes:
            data = read(most)
            self._read_bytes += len(data)
            return data

        return metered


def _size(files: tuple[str, ...]) -> int | None:
    """Bytes of all files; None where one of them is no regular file."""
    try:
        found = [os.fstat(sys.stdin.fileno()) if path == "-" else os.stat(path) for path in files]
    except OSError:
        return None
    return sum(f.st_size for f in found) if all(stat.S_ISREG(f.st_mode) for f in found) else None


def _batches(values: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    held_bytes = 0
    for value in values:
        batch.append(value)
        held_bytes += len(value)
        if len(batch) == BATCH or held_bytes >= BATCH_BYTES:
            yield batch
            batch, held_bytes = [], 0
    if batch:
        yield batch


def _json(result: Outcome | Malformed) -> bytes:
    if isinstance(result, Malformed):
        return msgspec.json.encode({"error": result.reason, "detail": result.detail})
    return msgspec.json.encode(result)
