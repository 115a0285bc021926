"""docs/openapi.yaml describes every route of the code, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from alerts.pages import PageData, pages
from alerts.records import Incident
from alerts.review.report import Review
from streams.decode import FORMATS
from streams.gateway import answers
from streams.gateway.doors import CANONICAL, PAGERDUTY, SIGNED, Endpoint, doors
from streams.http import HttpServer, Readiness
from streams.metrics import Metrics, Role
from streams.settings import Secret, Settings, Source

DESCRIBED: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "docs/openapi.yaml").read_text())
METHODS = ("get", "post", "put", "patch", "delete")


def described(*tags: str) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, item in DESCRIBED["paths"].items()
        for method, operation in item.items()
        if method in METHODS and set(operation["tags"]) & set(tags)
    }


async def no_review(*_: Any) -> Review:
    raise NotImplementedError


def of_a_role() -> Iterator[tuple[str, str]]:
    """What the server of the alerts role routes, HEAD aside."""
    plug = pages(lambda: PageData((), {}, None, 0), make=no_review)
    server = HttpServer(Metrics(Role.ALERTS), Readiness(), plugs=[plug])
    for route in server._application().router.routes():
        if route.method != "HEAD" and route.resource is not None:
            yield route.method, re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.resource.canonical)


def of_the_gateway() -> Iterator[tuple[str, str]]:
    """By the doors of one source of each format."""
    secret = Secret("s" * 32)
    key = {True: "auth_token", False: "bearer_token"}
    taken = [name for name in FORMATS if name not in ("smpp-receipt", "jasmin-log")]
    sources = [Source(name=name, format=name, **{key[name in SIGNED]: secret}) for name in taken]  # type: ignore[arg-type]
    for door in doors(Settings(sources=tuple(sources))):
        yield "POST", f"/v1/{{source}}/{door.endpoint}"
        if door.by_query:
            yield "GET", f"/v1/{{source}}/{door.endpoint}"
    yield "POST", f"/v1/{PAGERDUTY}/{Endpoint.WEBHOOK}"


def test_every_route_of_a_role_is_described_and_no_other() -> None:
    assert described("role", "pages") == set(of_a_role())


def test_every_door_of_the_gateway_is_described_and_no_other() -> None:
    assert described("gateway") == set(of_the_gateway())
    assert CANONICAL in FORMATS


def test_every_answer_of_the_gateway_is_described() -> None:
    wanted = {str(status) for status in answers.STATUS.values()} | {"200"}
    for path, item in DESCRIBED["paths"].items():
        for method in set(item) & set(METHODS):
            if "gateway" in item[method]["tags"]:
                assert set(item[method]["responses"]) == wanted, f"{method} {path}"


def test_the_fields_of_an_incident_that_are_described_exist() -> None:
    named = set(DESCRIBED["components"]["schemas"]["Incident"]["properties"]) - {"known"}
    assert named <= set(Incident.__struct_fields__)
