"""A process under measurement."""

from pathlib import Path

import pytest

from alerts.bench.child import Child
from alerts.bench.errors import BenchFailed

SERVER = ["http.server", "0", "--bind", "127.0.0.1"]


def test_a_child_that_is_ended_tells_what_it_took(tmp_path: Path) -> None:
    with Child("server", SERVER, tmp_path) as child:
        while not child.log.stat().st_size and child.age_s < 1:
            child.must_live()
        usage = child.end()
    assert 0 < usage.cpu_s < 60
    assert 1 < usage.peak_rss_mb < 500


def test_a_child_that_ends_by_itself_fails_with_its_last_words(tmp_path: Path) -> None:
    with (
        Child("nobody", ["no_such_module"], tmp_path) as child,
        pytest.raises(BenchFailed, match=r"(?s)nobody ended by itself.*No module named no_such_module"),
    ):
        while child.age_s < 30:
            child.must_live()


def test_nothing_outlives_the_block(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Child("server", SERVER, tmp_path) as child:
        raise KeyError
    with pytest.raises(BenchFailed):
        child.must_live()


def test_the_settings_of_this_machine_do_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARRIER_HEALTH_INGEST__GROUP", "live")
    (tmp_path / "told.py").write_text("import os; print([n for n in os.environ if 'CARRIER_HEALTH' in n])")
    with Child("told", ["told"], tmp_path) as child, pytest.raises(BenchFailed):
        while child.age_s < 30:
            child.must_live()
    assert child.log.read_text() == "[]\n"
