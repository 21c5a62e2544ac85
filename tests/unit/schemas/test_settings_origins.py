"""Where each setting comes from, and values in files that the environment names."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import app
from schemas.settings import SettingsError
from schemas.settings_file import MAX_VALUE_BYTES, Origins, load_settings

PASSWORD = "correct horse"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    return file


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_value_may_stand_in_a_file_without_its_newline(secret: Path) -> None:
    environ = {"REPMON_CLICKHOUSE__PASSWORD_FILE": str(secret)}
    assert load_settings(environ=environ).clickhouse.password == PASSWORD


def test_setting_that_is_a_file_itself_is_no_value_in_a_file(secret: Path) -> None:
    environ = {"REPMON_POLICY__FILE": "policy.toml", "REPMON_CLICKHOUSE__CA_FILE": str(secret)}
    environ["REPMON_CLICKHOUSE__URL"] = "https://store:8443"
    settings = load_settings(environ=environ)
    assert settings.policy.file == "policy.toml"
    assert settings.clickhouse.ca_file == str(secret)


def test_list_in_a_file_is_json_as_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "resolvers").write_text('["192.0.2.53"]\n')
    environ = {"REPMON_BLOCKLISTS__RESOLVERS_FILE": "resolvers"}
    assert load_settings(environ=environ).blocklists.resolvers == ["192.0.2.53"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "missing: cannot be read: No such file"),
        (b"\xff\xfe", "not a text in UTF-8"),
        (b"x" * (MAX_VALUE_BYTES + 1), "more than 65,536 bytes"),
    ],
)
def test_file_that_cannot_be_the_value_is_named_with_its_variable(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "missing").write_bytes(content)
    with pytest.raises(SettingsError, match=f"REPMON_CLICKHOUSE__PASSWORD_FILE: .*{said}"):
        load_settings(environ={"REPMON_CLICKHOUSE__PASSWORD_FILE": "missing"})


def test_value_and_file_of_one_setting_are_a_contradiction(secret: Path) -> None:
    environ = {"REPMON_CLICKHOUSE__PASSWORD": "x", "REPMON_CLICKHOUSE__PASSWORD_FILE": str(secret)}
    with pytest.raises(SettingsError, match="sets this too"):
        load_settings(environ=environ)


def test_each_value_has_one_origin_and_the_last_one_counts(tmp_path: Path, secret: Path) -> None:
    file = tmp_path / "repmon.toml"
    file.write_text('[kafka]\nbootstrap = "a:1"\ngroup = "g"\n[ingest.mapping.ses]\nstream = "tags.s"\n')
    origins: Origins = {}
    environ = {"REPMON_KAFKA__BOOTSTRAP": "b:2", "REPMON_CLICKHOUSE__PASSWORD_FILE": str(secret)}
    load_settings(file, environ, origins)
    assert origins == {
        ("kafka", "bootstrap"): "environment REPMON_KAFKA__BOOTSTRAP",
        ("kafka", "group"): f"file {file}",
        ("ingest", "mapping"): f"file {file}",
        ("clickhouse", "password"): f"environment REPMON_CLICKHOUSE__PASSWORD_FILE ({secret})",
    }


def test_config_show_says_where_each_value_comes_from(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "mine.toml").write_text('[kafka]\ngroup = "g"\n')
    shown = CliRunner().invoke(
        app,
        ["--config", "mine.toml", "--data", "elsewhere", "config", "show"],
        env={"REPMON_CLICKHOUSE__PASSWORD_FILE": str(secret)},
    )
    lines = shown.stdout.splitlines()
    assert 'group = "g"  # file mine.toml' in lines
    assert f'password = "***"  # environment REPMON_CLICKHOUSE__PASSWORD_FILE ({secret})' in lines
    assert 'data = "elsewhere"  # option --data' in lines
    assert 'bootstrap = "127.0.0.1:9092"  # default' in lines
    assert PASSWORD not in shown.stdout
