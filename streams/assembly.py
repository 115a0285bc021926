"""The intake as it is configured, with everything that it asks."""

from __future__ import annotations

from typing import Any, NamedTuple

from streams import canary
from streams.canary import CanarySource
from streams.codes import CodeBook
from streams.intake import Intake
from streams.lookup.service import LookupService
from streams.networks import networks_of
from streams.prefix import PrefixOf
from streams.privacy import RecipientHasher
from streams.records import CANARY
from streams.region import RegionOf
from streams.settings import Settings
from streams.source import Source
from streams.teller import tellers_of


class Assembly(NamedTuple):
    """The intake, and the thread of Lookup, not started yet; None where it is not enabled."""

    intake: Intake
    lookups: LookupService | None


def assemble(settings: Settings, metrics: Any) -> Assembly:
    """Raises ConfigError for sources, code tables, carriers or a key that can not be used."""
    codes = CodeBook(settings.code_tables)
    networks = networks_of(settings.carriers.file, settings.carriers.roll_up)
    hasher = RecipientHasher(settings.privacy.recipient_key)
    sources = {s.name: Source.of(s, codes, networks, hasher=hasher) for s in settings.sources}
    lookups = LookupService(settings, networks, hasher, metrics) if settings.lookup.enabled else None
    prefix_of = PrefixOf(networks, RegionOf()) if settings.carriers.prefix else None
    tellers = tellers_of(sources.values(), hasher, prefix_of, lookups)
    known = sources | {CANARY: CanarySource.of(canary.CONFIG, networks=networks, hasher=hasher)}
    most_bytes, track = settings.ingest.max_record_bytes, settings.recipients.track
    return Assembly(Intake(known, hasher, most_bytes, tellers, track=track), lookups)
