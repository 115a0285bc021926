"""deploy/kubernetes: valid by the schemas of Kubernetes, and every name in it known."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import kubernetes_validate
import pytest

from alerts.settings import Settings
from streams.gateway.doors import every_door
from streams.http import HttpServer, Readiness
from streams.metrics import METRICS, Metrics, Role
from streams.topics import OUTCOMES, TOPICS
from tests.deploy.deployed import DEPLOY, HOME, ROLES, ROOT, Process, documents, http_port, loaded, parsed

HERE = DEPLOY / "kubernetes"
SCALING = HERE / "scaling"
(KUSTOMIZATION,) = documents(HERE / "kustomization.yaml")
(COMPONENT,) = documents(SCALING / "kustomization.yaml")
BASE = [d for name in KUSTOMIZATION["resources"] for d in documents(HERE / name)]
SCALERS = [d for name in COMPONENT["resources"] for d in documents(SCALING / name)]
WORKLOADS = {d["metadata"]["name"]: d for d in BASE if d["kind"] in ("Deployment", "StatefulSet")}
OLDEST, NEWEST = "1.29", "1.36"
"""Kubernetes versions; the first with all that is used here."""
DEPLOY_PAGE = (ROOT / "docs/deploy.md").read_text()
UNITS = {"Mi": 2**20, "Gi": 2**30}


def kinds(kind: str) -> list[dict[str, Any]]:
    return [d for d in BASE if d["kind"] == kind]


def pod(role: str) -> dict[str, Any]:
    spec: dict[str, Any] = WORKLOADS[role]["spec"]["template"]["spec"]
    return spec


def container(role: str) -> dict[str, Any]:
    (only,) = pod(role)["containers"]
    found: dict[str, Any] = only
    return found


def secrets_made() -> dict[str, list[str]]:
    """Keys by Secret, as docs/deploy.md has them made."""
    text = DEPLOY_PAGE.replace("\\\n", " ")
    made = re.findall(r"create secret generic (\S+)((?: +--from-file=\S+)+)", text)
    return {name: re.findall(r"--from-file=([^=\s]+)", files) for name, files in made}


def of_pod(role: str, at: Path) -> Settings:
    volumes = {v["name"]: v for v in pod(role)["volumes"]}
    seen = []
    for mount in container(role)["volumeMounts"]:
        secret = volumes[mount["name"]].get("secret")
        if secret:
            folder = mount["mountPath"].removeprefix(HOME)
            seen += [f"{folder}/{key}" for key in secrets_made()[secret["secretName"]]]
    env = {e["name"]: e.get("value", f"{role}-0") for e in container(role)["env"]}
    return loaded(Process(HERE / "carrier-health.toml", env, seen), at)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(
    "document",
    [*BASE, *(d for d in SCALERS if d["kind"] != "ScaledObject")],
    ids=lambda d: f"{d['kind']}-{d['metadata']['name']}",
)
def test_the_schema_of_kubernetes_allows_it(document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_every_file_is_taken_in() -> None:
    assert {p.name for p in HERE.glob("*.yaml")} == {*KUSTOMIZATION["resources"], "kustomization.yaml"}
    assert {p.name for p in SCALING.glob("*.yaml")} == {*COMPONENT["resources"], "kustomization.yaml"}
    (made,) = KUSTOMIZATION["configMapGenerator"]
    assert [f for f in made["files"] if not (HERE / f).exists()] == []
    configs = {v["configMap"]["name"] for role in ROLES for v in pod(role)["volumes"] if "configMap" in v}
    assert configs == {made["name"]}


def test_each_role_has_a_workload_of_its_own() -> None:
    assert set(WORKLOADS) == set(ROLES)
    assert {role: parsed(container(role)["args"]) for role in ROLES} == {role: role for role in ROLES}


@pytest.mark.parametrize("role", ROLES)
def test_each_pod_accepts_its_settings_and_sees_its_secrets(role: str, tmp_path: Path) -> None:
    settings = of_pod(role, tmp_path)
    needs_key = role in ("ingest", "gateway")
    assert bool(settings.privacy.recipient_key) is needs_key
    assert [door.source for door in every_door(settings)] == ["twilio"]


@pytest.mark.parametrize("role", ["ingest", "windows", "alerts"])
def test_each_pod_is_an_instance_of_its_own(role: str) -> None:
    (name,) = [e for e in container(role)["env"] if e["name"] == f"CARRIER_HEALTH_{role.upper()}__INSTANCE"]
    assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


@pytest.mark.parametrize("role", ROLES)
def test_ports_are_those_of_the_settings(role: str, tmp_path: Path) -> None:
    settings = of_pod(role, tmp_path)
    ports = {p["name"]: p["containerPort"] for p in container(role)["ports"]}
    wanted = {"http": http_port(settings, role)}
    assert ports == (wanted | {"providers": settings.gateway.port} if role == "gateway" else wanted)
    annotations = WORKLOADS[role]["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": str(ports["http"])}


def test_services_and_policies_lead_to_pods_and_ports_that_there_are() -> None:
    for service in kinds("Service"):
        role = service["spec"]["selector"]["app.kubernetes.io/name"]
        names = {p["name"] for p in container(role)["ports"]}
        assert {p["targetPort"] for p in service["spec"]["ports"]} <= names
    for policy in kinds("NetworkPolicy"):
        selected = policy["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name")
        roles = [selected] if selected else ROLES
        names = {p["name"] for role in roles for p in container(role)["ports"]}
        rules = policy["spec"].get("ingress", [])
        assert {p["port"] for rule in rules for p in rule["ports"]} <= names


def test_policies_let_out_to_kafka_and_redis(tmp_path: Path) -> None:
    settings = of_pod("ingest", tmp_path)
    everybody = [p["spec"] for p in kinds("NetworkPolicy") if p["spec"]["podSelector"] == {}]
    open_ports = {p["port"] for spec in everybody for rule in spec.get("egress", []) for p in rule["ports"]}
    kafka, redis = urlsplit(f"//{settings.kafka.bootstrap_servers}"), urlsplit(settings.redis.url)
    assert open_ports == {53, kafka.port, redis.port}
    assert any(set(spec) == {"podSelector", "policyTypes"} for spec in everybody)  # nobody else


@pytest.mark.parametrize("role", ROLES)
def test_probes_ask_what_roles_answer(role: str) -> None:
    probes = {n: container(role)[f"{n}Probe"]["httpGet"] for n in ("startup", "liveness", "readiness")}
    assert {p["port"] for p in probes.values()} == {"http"}
    assert probes["startup"]["path"] == probes["liveness"]["path"] == "/healthz"
    assert probes["readiness"]["path"] == ("/healthz" if role in ("windows", "alerts") else "/readyz")
    with HttpServer(Metrics(Role(role)), Readiness()) as server:
        for probe in probes.values():
            assert urlopen(server.url + probe["path"], timeout=5).status == 200


@pytest.mark.parametrize("role", ROLES)
def test_pods_are_as_restricted_as_kubernetes_knows(role: str) -> None:
    of_the_pod, of_the_container = pod(role)["securityContext"], container(role)["securityContext"]
    (uid,) = re.findall(r"^USER (\d+):", (DEPLOY / "Dockerfile").read_text(), re.M)
    assert of_the_pod["runAsNonRoot"] and of_the_pod["runAsUser"] == of_the_pod["fsGroup"] == int(uid)
    assert of_the_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_the_container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(role)["automountServiceAccountToken"] is False
    writable = [m["mountPath"] for m in container(role)["volumeMounts"] if not m.get("readOnly")]
    assert writable == ["/tmp"]


def test_whoever_has_several_pods_has_a_disruption_budget() -> None:
    several = {role for role, w in WORKLOADS.items() if w["spec"]["replicas"] > 1}
    selectors = [d["spec"]["selector"]["matchLabels"] for d in kinds("PodDisruptionBudget")]
    assert {s["app.kubernetes.io/name"] for s in selectors} == several


def test_who_keeps_a_name_is_a_stateful_set_with_a_service_for_it() -> None:
    stateful = {d["metadata"]["name"]: d["spec"]["serviceName"] for d in kinds("StatefulSet")}
    headless = {d["metadata"]["name"] for d in kinds("Service") if d["spec"].get("clusterIP") == "None"}
    assert set(stateful) == {"ingest", "windows"} and set(stateful.values()) == headless


@pytest.mark.parametrize("role", ["ingest", "windows"])
def test_memory_is_more_than_was_measured(role: str) -> None:
    page = (ROOT / "docs/benchmark.md").read_text()
    rows = re.findall(rf"^\| `{role}\w*` \|.*\| (\d+) \| [^|]+ \|$", page, re.M)
    memory = {k: size(v["memory"]) for k, v in container(role)["resources"].items()}
    assert len(rows) > 1 and max(map(int, rows)) * 10**6 < memory["requests"] < memory["limits"]


def size(quantity: str) -> int:
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


# -- scaling ---------------------------------------------------------------------------------------


def scaler(kind: str) -> dict[str, Any]:
    (only,) = [d["spec"] for d in SCALERS if d["kind"] == kind]
    found: dict[str, Any] = only
    return found


def test_scalers_lead_to_workloads_and_the_number_of_pods_is_theirs() -> None:
    led_to = [{k: d["spec"]["scaleTargetRef"][k] for k in ("kind", "name")} for d in SCALERS]
    assert [WORKLOADS[t["name"]]["kind"] for t in led_to] == [t["kind"] for t in led_to]
    assert [p["target"] for p in COMPONENT["patches"]] == led_to
    assert {p["patch"] for p in COMPONENT["patches"]} == {'[{"op": "remove", "path": "/spec/replicas"}]'}


def test_ingest_is_scaled_to_its_partitions_by_cpu_and_by_a_metric_that_it_has() -> None:
    spec = scaler("ScaledObject")
    assert [spec["maxReplicaCount"]] == [t.partitions for t in TOPICS if t.name == OUTCOMES]
    assert spec["minReplicaCount"] == WORKLOADS["ingest"]["spec"]["replicas"]
    cpu, lag = spec["triggers"]
    assert cpu == {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70"}}
    (named,) = re.findall(r"carrier_health_(\w+)", lag["metadata"]["query"])
    (metric,) = [m for m in METRICS if m.name == named]
    assert Role.INGEST in metric.roles and {"role", "partition"} <= set(metric.labels)


@pytest.mark.needs_promtool
def test_promtool_accepts_the_query_of_the_scaler(tmp_path: Path) -> None:
    _, lag = scaler("ScaledObject")["triggers"]
    rules = tmp_path / "lag.rules.yaml"
    query = lag["metadata"]["query"]
    rules.write_text(f"groups:\n- name: lag\n  rules:\n  - record: ingest:lag:sum\n    expr: {query}\n")
    done = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
