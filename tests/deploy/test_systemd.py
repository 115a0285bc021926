"""deploy/systemd: accepted by systemd itself, and every name in it known to the product."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from alerts.supervise import REFUSED
from tests.deploy.deployed import DEPLOY, ROLES, Process, http_port, loaded, parsed

HERE = DEPLOY / "systemd"
UNITS = {p.name.removeprefix("carrier-health-").partition("@")[0]: p for p in HERE.glob("*@.service")}
COMMON = (HERE / "carrier-health-.service.d/common.conf").read_text()
STUBS = ("sysinit", "basic", "shutdown", "network-online", "multi-user")
HOST = "sms-1"


def environment(text: str, port: int) -> dict[str, str]:
    """As systemd resolves it; those of Python are not ours."""
    words = " ".join(re.findall(r"^Environment=(.*)$", text, re.M)).split()
    pairs = dict(w.replace("%i", str(port)).replace("%H", HOST).split("=", 1) for w in words)
    return {name: value for name, value in pairs.items() if not name.startswith("PYTHON")}


def instance(role: str) -> int:
    (port,) = re.findall(r"^DefaultInstance=(\d+)$", UNITS[role].read_text(), re.M)
    return int(port)


def test_each_role_has_a_unit_that_runs_it() -> None:
    lines = {
        role: re.findall(r"^ExecStart=\S+/carrier-health (.*)$", p.read_text(), re.M)
        for role, p in UNITS.items()
    }
    assert {role: [parsed(line) for line in found] for role, found in lines.items()} == {
        r: [r] for r in ROLES
    }


@pytest.mark.parametrize("role", ROLES)
def test_the_instance_is_the_port_and_the_name_its_own(role: str, tmp_path: Path) -> None:
    env = environment(UNITS[role].read_text(), 9999) | environment(COMMON, 9999)
    config = tmp_path / "mine.toml"
    config.write_text('[alerting]\nmode = "observe"\n')
    settings = loaded(Process(config, env, ()), tmp_path)
    assert http_port(settings, role) == 9999
    if role != "gateway":
        assert getattr(settings, role).instance == f"{HOST}-9999"
    assert env["CARRIER_HEALTH_CONFIG"] == "/etc/carrier-health/carrier-health.toml"


@pytest.mark.parametrize("role", ROLES)
def test_without_a_port_it_is_the_usual_one(role: str, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('[alerting]\nmode = "observe"\n')
    assert instance(role) == http_port(loaded(Process(config, {}, ()), tmp_path), role)


def test_a_refused_configuration_is_not_tried_again() -> None:
    assert f"\nRestartPreventExitStatus={REFUSED}\n" in COMMON and "\nRestart=always\n" in COMMON


def test_who_runs_is_made_by_sysusers() -> None:
    common = ConfigParser(strict=False, interpolation=None)
    common.optionxform = str  # type: ignore[assignment]
    common.read_string(COMMON)
    user = common["Service"]["User"]
    assert re.search(rf"^u {user} - ", (HERE / "carrier-health.sysusers.conf").read_text(), re.M)


def laid_out(root: Path) -> Path:
    """A root as it is after installing, with stubs for what every system has."""
    units = root / "etc/systemd/system"
    shutil.copytree(HERE, units)
    (units / "carrier-health.sysusers.conf").unlink()
    for name in STUBS:
        (units / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    program = root / "opt/carrier-health/bin/carrier-health"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return root


def analyzed(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", f"--root={root}", *words], capture_output=True, text=True, timeout=60
    )
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


@pytest.mark.needs_systemd_analyze
@pytest.mark.parametrize("role", ROLES)
def test_systemd_accepts_the_units_with_their_drop_in(role: str, tmp_path: Path) -> None:
    unit = f"carrier-health-{role}@{instance(role)}.service"
    assert analyzed(laid_out(tmp_path / "root"), "verify", "--man=no", unit) == "0\n"


@pytest.mark.needs_systemd_analyze
def test_systemd_reads_the_drop_in(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "root")
    with (root / "etc/systemd/system/carrier-health-.service.d/common.conf").open("a") as f:
        f.write("Nonsense=yes\n")
    said = analyzed(root, "verify", "--man=no", "carrier-health-ingest@9101.service")
    assert "Unknown key 'Nonsense' in section [Service]" in said


@pytest.mark.needs_systemd_analyze
@pytest.mark.parametrize("role", ROLES)
def test_systemd_finds_the_units_shut_in(role: str, tmp_path: Path) -> None:
    unit = f"carrier-health-{role}@{instance(role)}.service"
    said = analyzed(laid_out(tmp_path / "root"), "security", "--offline=true", "--threshold=20", unit)
    assert said.startswith("0\n") and " OK " in said
