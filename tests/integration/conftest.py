"""A real Kafka and a real Valkey for the whole run, and names that keep the tests apart on them."""

import uuid
from collections.abc import Iterator

import pytest

from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.settings import Settings
from streams.topic_admin import TopicAdmin
from tests.integration.secured import PREFIX, Secured


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


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A broker that asks who one is, with all topics under `PREFIX`: do not stop it."""
    made = Secured(tmp_path_factory.mktemp("secured"))
    try:
        made.start()
        with TopicAdmin(Settings(kafka=made.plain(PREFIX))) as admin:
            admin.apply()
        yield made
    finally:
        made.broker.close()


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics, groups, transactional ids and keys that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}-"
