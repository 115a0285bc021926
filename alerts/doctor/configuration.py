"""Sources, rules and the key of the hash, as they are configured. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.doctor.finding import Finding, fail, ok, warn
from alerts.settings import Settings
from streams.codes import BUILT_IN, CodeBook, family
from streams.errors import ConfigError
from streams.networks import networks_of
from streams.privacy import SHORT_KEY_CHARACTERS, RecipientHasher
from streams.source import Source, profile_of

FEW_CHARACTERS = 8
"""A key of fewer different characters was typed, not drawn."""


def check_sources(settings: Settings) -> Iterator[Finding]:
    if not settings.sources:
        yield fail("sources", "none is configured", "add a [[sources]] entry with name and format")
    try:
        codes = CodeBook(settings.code_tables)
    except ConfigError as e:
        yield fail("codes", str(e), "correct [[code_tables]] or its file")
        codes = BUILT_IN
    networks = networks_of(settings.carriers.file, settings.carriers.roll_up)
    for source in settings.sources:
        try:
            Source.of(source, codes, networks)
        except ConfigError as e:
            yield fail("sources", str(e), "correct format or codes of this source")
            continue
        where = source.topic or settings.topic("outcomes")
        yield ok("sources", f"{source.name} ({source.format}, codes {profile_of(source)}) on {where}")
    yield from _check_accounts(settings)
    yield from _check_rules(settings)


def _check_accounts(settings: Settings) -> Iterator[Finding]:
    topics: dict[str, set[str]] = {}
    for source in settings.sources:
        topics.setdefault(source.account or source.name, set()).add(source.topic)
    for account in sorted(a for a, where in topics.items() if len(where) > 1):
        yield warn(
            "sources",
            f"account '{account}' comes in on more than one topic: repeats between them are counted twice",
            "send one account's records to one topic, keyed by message id",
        )


def _check_rules(settings: Settings) -> Iterator[Finding]:
    used: set[str] = set()
    for source in settings.sources:
        try:
            used |= family(profile_of(source), settings.code_tables)
        except ConfigError:
            continue
    for rule in settings.rules:
        if settings.sources and rule.profiles and not used & set(rule.profiles):
            yield warn(
                "rules",
                f"{rule.name} watches codes of {', '.join(rule.profiles)}, which no source has",
                "set `codes` of a source to one of them, or leave it if that is meant",
            )


def check_privacy(settings: Settings) -> Iterator[Finding]:
    todo = "set privacy.recipient_key or privacy.recipient_key_file to 32 random characters, and keep it"
    key = settings.privacy.recipient_key
    if not key:
        yield fail("privacy", "privacy.recipient_key is empty: numbers can not be hashed", todo)
        return
    found = f"privacy.recipient_key is set, key id {RecipientHasher(key).key_id}"
    text = key.reveal()
    if len(text) < SHORT_KEY_CHARACTERS or len(set(text)) < FEW_CHARACTERS:
        yield warn("privacy", f"{found}, and easy to guess", f"{todo}; a new key forgets every recipient")
    else:
        yield ok("privacy", found)
