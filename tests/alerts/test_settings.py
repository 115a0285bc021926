"""What the configuration of paging allows, refuses and keeps to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.settings import Settings, check_pager, key_id, load
from streams.errors import ConfigError
from streams.settings import Secret, dump

KEY = "0123456789abcdef0123456789abcdef"
REFUSALS = sorted((Path(__file__).parent / "config").glob("*.toml"))
MARK = "# refused: "


def with_env(**values: str) -> Settings:
    return load(None, {f"CARRIER_HEALTH_{name}": value for name, value in values.items()})


@pytest.mark.parametrize("path", REFUSALS, ids=lambda p: p.stem)
def test_a_bad_value_is_refused_with_key_value_and_what_is_allowed(path: Path) -> None:
    """The first line of each fixture is what the operator must read."""
    expected = path.read_text(encoding="utf-8").splitlines()[0].removeprefix(MARK)
    with pytest.raises(ConfigError) as refused:
        load(path, {})
    assert expected in str(refused.value)


def test_the_defaults_are_accepted() -> None:
    settings = load(None, {})
    assert (settings.alerting.mode, settings.alerting.route) == ("page", "pagerduty")
    assert (settings.alerting.warning_ratio, settings.alerting.critical_ratio) == (0.05, 0.10)
    assert settings.pagerduty.base_url == "https://events.pagerduty.com"


def test_the_role_that_pages_refuses_to_start_without_a_key() -> None:
    with pytest.raises(ConfigError, match=r"pagerduty.routing_key is empty.*or choose alerting.mode"):
        check_pager(Settings())


@pytest.mark.parametrize(
    "values",
    [
        {"ALERTING__MODE": "observe"},
        {"ALERTING__ROUTE": "none"},
        {"ALERTING__ROUTE": "alertmanager"},
        {"PAGERDUTY__ROUTING_KEY": KEY},
    ],
    ids=["observe", "no route", "alertmanager", "with a key"],
)
def test_it_starts_when_nobody_is_paged_or_a_key_is_there(values: dict[str, str]) -> None:
    check_pager(with_env(**values))


def test_the_key_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(KEY + "\n", encoding="utf-8")
    config = tmp_path / "carrier-health.toml"
    config.write_text(f'[pagerduty]\nrouting_key_file = "{secret}"\n', encoding="utf-8")
    assert load(config, {}).pagerduty.routing_key.reveal() == KEY
    assert with_env(PAGERDUTY__ROUTING_KEY_FILE=str(secret)).pagerduty.routing_key.reveal() == KEY


def test_the_key_never_shows_itself() -> None:
    settings = with_env(PAGERDUTY__ROUTING_KEY=KEY)
    shown = [repr(settings), str(settings), str(dump(settings)), key_id(settings.pagerduty.routing_key)]
    assert not any(KEY in text or KEY[:16] in text for text in shown)
    assert dump(settings)["pagerduty"]["routing_key"] == "****"


def test_no_secret_of_any_route_shows_itself(tmp_path: Path) -> None:
    config = tmp_path / "carrier-health.toml"
    (tmp_path / "old.key").write_text(KEY[::-1])
    config.write_text(
        f"""
        [slack]
        webhook_url = "https://hooks.example/s3cret"
        [webhook]
        url = "https://in.example/s3cret"
        secret = "s3cret-s3cret-s3cret"
        [alertmanager]
        bearer_token = "s3cret"
        [[teams]]
        name = "ops"
        routing_key = "{KEY}"
        previous_routing_key_file = "{tmp_path / "old.key"}"
        """
    )
    settings = load(config, {})
    assert settings.teams[0].previous_routing_key.reveal() == KEY[::-1]
    shown = repr(settings) + str(dump(settings))
    assert not [secret for secret in ("s3cret", KEY, KEY[::-1]) if secret in shown]


def test_every_member_of_alertmanager_is_named() -> None:
    settings = with_env(ALERTING__ROUTE="alertmanager", ALERTMANAGER__URLS="http://a:9093, http://b:9093")
    assert settings.alertmanager.members == ("http://a:9093", "http://b:9093")


def test_alertmanager_is_told_by_a_rule_or_by_its_api() -> None:
    by_rule = with_env(ALERTING__ROUTE="alertmanager")
    by_api = with_env(ALERTING__ROUTE="alertmanager", ALERTMANAGER__URLS="http://a:9093")
    assert (by_rule.pages_by_rule, by_api.pages_by_rule, Settings().pages_by_rule) == (True, False, False)


@pytest.mark.parametrize("bad", [KEY[:-1], KEY + "0", KEY[:-1] + "!"])
def test_a_refused_key_is_not_shown_either(bad: str) -> None:
    with pytest.raises(ConfigError) as refused:
        with_env(PAGERDUTY__ROUTING_KEY=bad)
    assert bad[:8] not in str(refused.value)


def test_a_key_id_tells_keys_apart() -> None:
    assert key_id(Secret(KEY)) != key_id(Secret(KEY[::-1]))
    assert len(key_id(Secret(KEY))) == 12


def test_an_incident_links_to_its_page_by_its_key() -> None:
    settings = with_env(ALERTING__PUBLIC_URL="https://sms.example.org/")
    link = settings.incident_url("ch:r:carrier:310-260:a/b c:1700000000")
    assert link == "https://sms.example.org/incidents/ch:r:carrier:310-260:a%2Fb%20c:1700000000"
    assert Settings().incident_url("ch:r") == ""
