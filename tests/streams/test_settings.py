"""What the configuration of counting allows, refuses and keeps to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.codes import profiles
from streams.decode import FORMATS
from streams.errors import ConfigError
from streams.settings import DEFAULT_RULES, LIMITS, Secret, Settings, check, convert, dump, load

SECRET = "correct-horse-battery-staple-0123"


def of(tmp_path: Path, text: str, **env: str) -> Settings:
    path = tmp_path / "carrier-health.toml"
    path.write_text(text, encoding="utf-8")
    return load(Settings, path, {f"CARRIER_HEALTH_{name}": value for name, value in env.items()})


TWO = '[[sources]]\nname = "a"\nformat = "canonical"\ntopic = "x"\n[[sources]]\nformat = "canonical"\n'


@pytest.mark.parametrize(
    "text, words",
    [
        ("[kafka]\nbootstrap = 'x'", "unknown field `bootstrap` - at `$.kafka`"),
        ("[nothing]\nx = 1", "unknown field `nothing`"),
        ("kafka = 3", "kafka must be a section of keys, as in [kafka]"),
        ("[ingest]\nbatch_records = 'many'", "Expected `int`, got `str` - at `$.ingest.batch_records`"),
        ("[clock]\nspeed = 0", "clock.speed = 0.0: must be above 0"),
        ("[clock]\nspeed = nan", "clock.speed = nan: must be above 0"),
        ("[clock]\nspeed = inf", "clock.speed = inf: must be above 0"),
        ("[windows]\nallowed_lateness_s = -1", "windows.allowed_lateness_s = -1.0: must be 0.0 to 86400.0"),
        ("[windows]\nallowed_lateness_s = inf", "windows.allowed_lateness_s = inf: must be"),
        ("[windows]\non_loss = 'maybe'", "Invalid enum value 'maybe' - at `$.windows.on_loss`"),
        ("[ingest]\nflush_interval_s = 0", "ingest.flush_interval_s = 0.0: must be 0.05 to 5.0"),
        ("[ingest]\nflush_interval_s = nan", "ingest.flush_interval_s = nan: must be 0.05 to 5.0"),
        ("[ingest]\nbatch_records = 0", "ingest.batch_records = 0: must be 1 to 1000000"),
        ("[ingest]\ndedupe_horizon_s = 90000", "ingest.dedupe_horizon_s = 90000: must be 1 to 43200"),
        ("[ingest]\ndedupe_max_ids = 5", "ingest.dedupe_max_ids = 5: must be 1000 to"),
        (
            "[ingest]\nmax_record_bytes = 50000000",
            "ingest.max_record_bytes = 50000000: must be 1 to 10000000",
        ),
        ("[http]\ningest_port = 70000", "http.ingest_port = 70000: must be 0 to 65535"),
        ("[[sources]]\nname = 'a'", "missing required field `format` - at `$.sources[0]`"),
        (TWO + "name = 'a'", "sources: the name 'a' is used twice"),
        (TWO + "name = 'b'\ntopic = 'x'", "sources: the topic 'x' is used twice"),
        (TWO + "name = 'unknown'", "sources: the name 'unknown' stands for records without a source"),
        (TWO + "name = ''", "sources: the name '' stands for records without a source"),
        ("[[rules]]\nname = 'r'", "rules: 'r' names neither codes nor classes"),
        ("[[rules]]\nname='r'\ncodes=['1']\n" * 2, "rules: the name 'r' is used twice"),
        ("[privacy]\nrecipient_key = 5", "must be text, not int - at `$.privacy.recipient_key`"),
        (
            "[privacy]\nrecipient_key_file = '/nowhere/key'",
            "privacy.recipient_key_file = /nowhere/key: can not",
        ),
        ("[privacy]\nrecipient_key_file = 5", "privacy.recipient_key_file = 5: can not be read"),
        (
            "[privacy]\nrecipient_key = 'a'\nrecipient_key_file = 'b'",
            "privacy.recipient_key and privacy.recipient_key_file are both set; keep one",
        ),
        ("[privacy", "is not TOML"),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_what_is_allowed(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        of(tmp_path, text)
    assert words in str(refused.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"the configuration /nowhere/x\.toml can not be read"):
        load(Settings, Path("/nowhere/x.toml"), {})


def test_the_defaults_are_within_the_limits() -> None:
    check(Settings())
    for section, key in LIMITS:
        assert hasattr(getattr(Settings(), section), key)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    text = "[ingest]\nbatch_records = 7\ninstance = 'a'\n"
    settings = of(tmp_path, text, INGEST__BATCH_RECORDS="9", WINDOWS__ALLOWED_LATENESS_S="2.5")
    assert (settings.ingest.batch_records, settings.ingest.instance) == (9, "a")
    assert settings.windows.allowed_lateness_s == 2.5


def test_other_variables_are_left_alone(tmp_path: Path) -> None:
    assert of(tmp_path, "", CONFIG="x.toml", HOME="y") == Settings()
    assert load(Settings, None, {"KAFKA__BOOTSTRAP_SERVERS": "x"}) == Settings()


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("NOWHERE__X", "1", "CARRIER_HEALTH_NOWHERE__X: no section 'nowhere'; there are kafka, redis"),
        ("KAFKA__NOPE", "1", "unknown field `nope` - at `$.kafka`"),
        ("INGEST__BATCH_RECORDS", "x", "Expected `int`, got `str` - at `$.ingest.batch_records`"),
        ("INGEST__BATCH_RECORDS", "0", "ingest.batch_records = 0: must be"),
        (
            "CARRIERS__FILE",
            "/nowhere/carriers.csv",
            "carriers.file = '/nowhere/carriers.csv': can not be read",
        ),
        ("LOOKUP__ENABLED", "true", "lookup.account_sid or lookup.auth_token is empty"),
        ("LOOKUP__BASE_URL", "lookups.twilio.com", "lookup.base_url = 'lookups.twilio.com': scheme and host"),
        ("LOOKUP__BASE_URL", "https://x/v2", "lookup.base_url = 'https://x/v2': scheme and host alone"),
        ("LOOKUP__SAMPLE_RATIO", "1.5", "lookup.sample_ratio = 1.5: must be 0.0 to 1.0"),
    ],
)
def test_a_bad_variable_is_refused_in_words(tmp_path: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        of(tmp_path, "", **{name: value})
    assert words in str(refused.value)


def test_a_cost_without_a_price_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lookup.price_per_request = 0: no cost would add up"):
        of(tmp_path, "", LOOKUP__DAILY_COST="5", LOOKUP__PRICE_PER_REQUEST="0")


def test_lookup_takes_its_secret_like_any_other(tmp_path: Path) -> None:
    given = of(tmp_path, "", LOOKUP__ENABLED="true", LOOKUP__ACCOUNT_SID="AC1", LOOKUP__AUTH_TOKEN=SECRET)
    assert given.lookup.auth_token.reveal() == SECRET and dump(given)["lookup"]["auth_token"] == "****"


def test_a_topic_has_the_prefix() -> None:
    assert convert(Settings, {"kafka": {"topic_prefix": "p-"}}).topic("partials") == "p-partials"


# -- secrets -----------------------------------------------------------------------------------


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"  {SECRET}\n", encoding="utf-8")
    written = of(tmp_path, f"[privacy]\nrecipient_key_file = '{key}'")
    assert written.privacy.recipient_key.reveal() == SECRET
    assert of(tmp_path, "", PRIVACY__RECIPIENT_KEY_FILE=str(key)) == written
    assert of(tmp_path, "", PRIVACY__RECIPIENT_KEY=SECRET) == written


def test_a_secret_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="must name a file of UTF-8 text"):
        of(tmp_path, "", PRIVACY__RECIPIENT_KEY_FILE=str(key))


def test_a_secret_never_shows_itself(tmp_path: Path) -> None:
    settings = of(tmp_path, "", PRIVACY__RECIPIENT_KEY=SECRET)
    shown = [repr(settings), str(settings), f"{settings.privacy}", str(dump(settings)), repr(Secret(SECRET))]
    assert not any(SECRET in text or SECRET[:8] in text for text in shown)
    assert dump(settings)["privacy"]["recipient_key"] == "****"
    assert dump(Settings())["privacy"]["recipient_key"] == ""


@pytest.mark.parametrize(
    "url, shown",
    [
        ("redis://:pass-word@cache:6379/0", "redis://****@cache:6379/0"),
        ("rediss://user:p@ss-word@cache/1", "rediss://****@cache/1"),
        ("redis://cache:6379/0", "redis://cache:6379/0"),
    ],
)
def test_the_password_of_redis_is_masked(tmp_path: Path, url: str, shown: str) -> None:
    assert dump(of(tmp_path, f"[redis]\nurl = '{url}'"))["redis"]["url"] == shown


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1 and not Secret("") and Secret("") != ""


def test_the_secrets_of_a_source_may_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n", encoding="utf-8")
    source = '[[sources]]\nname = "a"\nformat = "canonical"\n'
    settings = of(tmp_path, f"{source}bearer_token_file = '{tmp_path}/token'")
    assert settings.sources[0].bearer_token.reveal() == SECRET
    assert SECRET not in str(dump(settings)) and SECRET not in repr(settings)
    assert dump(settings)["sources"][0]["bearer_token"] == "****"
    with pytest.raises(ConfigError, match=r"sources\[0\]\.bearer_token and .*_file are both set"):
        of(tmp_path, f"{source}bearer_token = 'x'\nbearer_token_file = '{tmp_path}/token'")
    with pytest.raises(ConfigError, match=r"sources\[0\]\.bearer_token_file = /nowhere: can not be read"):
        of(tmp_path, f"{source}bearer_token_file = '/nowhere'")


# -- the built-in rules ----------------------------------------------------------------------------


def test_every_format_is_looked_at_by_a_built_in_rule() -> None:
    watched = {profile for rule in DEFAULT_RULES for profile in rule.profiles}
    assert watched <= set(profiles())
    assert {name: f.codes for name, f in FORMATS.items() if f.codes not in watched} == {}
