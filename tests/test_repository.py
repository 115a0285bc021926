"""The repository itself: what must not be in it, what the README promises, how large things are."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from alerts import settings as configuration
from alerts.cli import COMMANDS, cli
from streams.source import Source

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MOST_LINES, MOST_FUNCTION_LINES = 300, 60

# In two parts, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a path of somebody's machine": r"/(?:ho" r"me|Us" r"ers|ro" r"ot)/[\w.]",
    "a host of a package registry": r"\b(?:py"
    r"pi\.org|files\.python"
    r"hosted\.org|registry\.np"
    r"mjs\.org)",
    "a host of a package mirror": r"repo1?\.mav" r"en\.|repo\.mav" r"en\.apache",
    "a private key": r"-----BEGIN [A-Z ]*PRIV" r"ATE KEY",
}


def tracked() -> list[Path]:
    """Files of the repository, also new ones; without git all but what no checkout holds."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [p for p in ROOT.rglob("*") if p.is_file() and not _made(p.relative_to(ROOT))]


def _made(path: Path) -> bool:
    return any((part.startswith(".") and part != ".ci") or part == "__pycache__" for part in path.parts)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def sources() -> list[Path]:
    return [p for package in ("streams", "alerts", "grafana") for p in sorted((ROOT / package).rglob("*.py"))]


def test_files_are_short() -> None:
    long = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in sources()}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_functions_are_short() -> None:
    assert [f for p in sources() for f in long_functions(p)] == []


def long_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_FUNCTION_LINES:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines"


def test_no_init_in_tests_shadows_the_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


# -- the README ----------------------------------------------------------------------------------


def test_the_make_targets_of_the_readme_exist_and_help_shows_them() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^  ([a-z-]+) ", shown, re.M))
    named = set(re.findall(r"\bmake ([a-z-]+)", README)) | {"check", "soak", "bench"}
    assert named <= targets


def test_the_readme_lists_every_command_and_no_other() -> None:
    assert set(re.findall(r"^\| `carrier-health ([a-z-]+)", README, re.M)) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"Usage: cli {name}" in result.output


def test_the_configuration_of_the_readme_is_accepted(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    key = tmp_path / "recipient.key"
    key.write_text("k" * 32)
    block = block.replace(tomllib.loads(block)["privacy"]["recipient_key_file"], str(key))
    path = tmp_path / "carrier-health.toml"
    path.write_text(block)
    settings = configuration.load(path, {})
    configuration.check_pager(settings)
    assert [Source.of(s).name for s in settings.sources] == ["twilio", "smpp-east"]


def test_the_python_of_the_readme_compiles() -> None:
    for block in re.findall(r"```python\n(.*?)```", README, re.S):
        ast.parse(block)
