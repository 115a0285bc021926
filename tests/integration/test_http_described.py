"""Requests made up after docs/openapi.yaml, the right and the wrong, to a running gateway and running pages.

Whatever is asked: no error of the server, and an answer as described.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks

from streams.embedded import EmbeddedKafka
from tests.alerts.pages.desk import TOKEN, Site, opened, resolved, served
from tests.integration.gateway import BEARER, GatewayProcess, make_topics

API = schemathesis.openapi.from_path(Path(__file__).parents[2] / "docs/openapi.yaml")
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
BOUNDED = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
OPEN, OVER = opened(), resolved()
SOURCE_OF = {"getStatus": "jasmin", "postStatus": "jasmin", "postEvents": "events", "postOutcomes": "own"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, kafka: EmbeddedKafka) -> Iterator[GatewayProcess]:
    prefix, folder = f"test-{uuid.uuid4().hex[:12]}-", tmp_path_factory.mktemp("described")
    make_topics(kafka.bootstrap_servers, prefix)
    with GatewayProcess(folder, kafka.bootstrap_servers, prefix) as running:
        yield running
        assert "went wrong" not in running.log.read_text()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Pages on which people act; what they ask for is taken as by the alerts role."""
    with served(Site(OPEN, OVER)) as running:
        yield running


@API.include(tag="gateway").parametrize()
@BOUNDED
def test_the_gateway_answers_as_described(case: schemathesis.Case, gateway: GatewayProcess) -> None:
    """Half of the time to a source that is there, with its token."""
    operation = case.operation.definition.raw["operationId"]
    if operation in SOURCE_OF and len(str(case.path_parameters)) % 2:
        case.path_parameters["source"] = SOURCE_OF[operation]
        case.headers["Authorization"] = f"Bearer {BEARER}"
    case.call_and_validate(base_url=gateway.url, checks=CHECKS, timeout=30)


@API.include(tag=["pages", "role"]).parametrize()
@BOUNDED
def test_the_pages_answer_as_described(case: schemathesis.Case, site: Site) -> None:
    """Half of the time of an incident that is there, by somebody who may act."""
    if "id" in case.path_parameters and len(str(case.path_parameters)) % 2:
        case.path_parameters["id"] = OPEN.key
        case.headers["Authorization"] = f"Bearer {TOKEN}"
    case.call_and_validate(base_url=site.url, checks=CHECKS[1:], timeout=30, allow_redirects=False)
