"""deploy/Dockerfile: its lock files, what it copies, and the health check against a real server."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from streams.embedded.ports import free_port
from streams.http import HttpServer, Readiness
from streams.metrics import Metrics, Role
from streams.settings import Http
from tests.deploy.deployed import DEPLOY, ROLES, ROOT

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
HEALTHCHECK = DEPLOY / "healthcheck.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
UID = "10001"


def pins(lock: str) -> dict[str, set[str]]:
    """`name==version; marker` -> hashes."""
    entries = re.findall(r"^([\w.-]+==.*?)((?: \\\n    --hash=\S+)+)$", lock, re.M)
    return {pin.strip(): set(re.findall(r"sha256:[0-9a-f]{64}", hashes)) for pin, hashes in entries}


RUNS = pins((DEPLOY / "requirements.lock").read_text())
BUILDS = pins((DEPLOY / "build.lock").read_text())


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[; ]", r)[0].lower() for r in requirements}


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_what_runs_is_what_was_tested() -> None:
    tested = pins((ROOT / "requirements.lock").read_text())
    assert {pin: hashes for pin, hashes in RUNS.items() if tested.get(pin) != hashes} == {}


def test_the_image_has_all_dependencies_and_nothing_of_the_workshop() -> None:
    assert names(PROJECT["project"]["dependencies"]) <= names(list(RUNS))
    extras = PROJECT["project"]["optional-dependencies"]
    assert (
        names([r for r in extras["dev"] + extras["demo"] if "pyyaml" not in r]) & names(list(RUNS)) == set()
    )


def test_what_builds_is_locked_too() -> None:
    assert names(PROJECT["build-system"]["requires"]) <= names(list(BUILDS))
    assert DOCKERFILE.count("--require-hashes") == 2 and DOCKERFILE.count("--only-binary=:all:") == 2


def test_python_is_pinned_and_of_the_version_that_the_locks_are_for() -> None:
    (version,) = re.findall(r"^ARG PYTHON=python:(\d+\.\d+)\.\d+-slim-\w+$", DOCKERFILE, re.M)
    assert PROJECT["project"]["requires-python"] == f">={version}"
    assert f"--python-version {version}" in (ROOT / "Makefile").read_text()
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)) == {"${PYTHON}"}


def test_what_is_copied_exists_and_is_let_through() -> None:
    copied = [
        path for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.M) for path in line.split()[:-1]
    ]
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M)
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert set(copied) == set(let_through)


def test_nobody_is_root() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M) == [f"{UID}:{UID}"]


def health(*ports: int) -> tuple[int, str]:
    check = [sys.executable, "-S", HEALTHCHECK, *map(str, ports)]
    done = subprocess.run(check, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout.strip()


def test_the_health_check_asks_the_ports_that_roles_have_by_default() -> None:
    (ports,) = re.findall(r"^PORTS = \((.+)\)$", HEALTHCHECK.read_text(), re.M)
    assert {int(p) for p in ports.split(",")} == {getattr(Http(), f"{role}_port") for role in ROLES}


def test_a_role_that_answers_is_well_even_while_it_waits_for_kafka() -> None:
    with HttpServer(Metrics(Role.INGEST), Readiness("kafka")) as server:
        assert health(server.port, free_port()) == (0, f"{server.port}: 200")


def test_nobody_there_is_not_well() -> None:
    assert health(free_port()) == (1, "nobody listens")


@pytest.mark.parametrize("status", [404, 500])
def test_another_answer_is_not_well(status: int) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        assert health(server.server_port) == (1, f"{server.server_port}: {status}")
        server.shutdown()
