"""A real Kafka and a real Valkey for the whole run, and names that keep the tests apart on them."""

import uuid
from collections.abc import Iterator

import pytest

from streams.embedded import EmbeddedKafka, EmbeddedValkey


@pytest.fixture(scope="session")
def kafka() -> Iterator[EmbeddedKafka]:
    """Shared by all tests: do not stop it. A test that kills its broker starts one of its own."""
    with EmbeddedKafka() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedValkey]:
    """Shared by all tests: do not stop or flush it."""
    with EmbeddedValkey() as server:
        yield server


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics, groups, transactional ids and keys that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}-"
