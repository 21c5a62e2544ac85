"""Secrets of the settings: whatever shows settings, and whatever complains of them, does so without one."""

import contextlib
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect as types
from rich.console import Console

from api.cli.config import show
from schemas.collect import Source
from schemas.secrets import HARMLESS_ENDINGS, HARMLESS_OPTIONS, shown, without_user
from schemas.settings import Kafka, Settings, SettingsError
from schemas.settings_file import load_settings

#: Every setting that holds a secret, as it is written in the environment. `%s` is the secret.
SECRET = {
    "REPMON_CLICKHOUSE__PASSWORD": "%s",
    "REPMON_GRAFANA__PASSWORD": "%s",
    "REPMON_GRAFANA__TOKEN": "%s",
    "REPMON_INGEST__HASH_KEY": "%s",
    "REPMON_KAFKA__SASL_PASSWORD": "%s",
    "REPMON_BLOCKLISTS__KEYS": '{"abusix": "%s"}',
    "REPMON_CLICKHOUSE__URL": "http://me:%s@store:8123?password=%s",
    "REPMON_KAFKA__BOOTSTRAP": "me:%s@broker:9092",
    "REPMON_KAFKA__SSL_KEY_PASSWORD": "%s",
    "REPMON_KAFKA__OAUTH_CLIENT_SECRET": "%s",
    "REPMON_GRAFANA__URL": "http://me:%s@grafana:3000/?auth_token=%s",
    "REPMON_COLLECT__SOURCES": (
        '{"shop": {"format": "mailgun", "secret": "%s", "user": "me", "password": "%s", "token": "%s", '
        '"url": "https://me:%s@host/collect?key=%s"}}'
    ),
}
#: Options of clients that hold one; the last is of no client that we know.
SECRET_OPTIONS = (
    "sasl.password",
    "sasl.jaas.config",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "ssl.truststore.password",
    "plugin.next.credential",
)
#: Fields with a word of secrets in their name that are none.
NOT_SECRET = {
    "clickhouse.key_file",
    "collect.sources.NAME.public_key",
    "poll.postmaster.token_command",
    "poll.snds.token_command",
    "poll.snds.key_file",
    "hook.actions.NAME.access_key_id",
    "hook.actions.NAME.password_file",
}
#: Longer than anything that could stand in a message by itself.
SECRETS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=16, max_size=40).filter(
    lambda text: len(set(text)) > 8
)


def fields(section: type[msgspec.Struct], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field by its path, with its type."""
    for each in msgspec.structs.fields(section):
        name = f"{path}{each.name}"
        info = types.type_info(each.type)
        inner = info.value_type if isinstance(info, types.DictType) else info
        if isinstance(inner, types.VarTupleType):
            inner = inner.item_type
        if isinstance(inner, types.StructType):
            yield from fields(inner.cls, f"{name}.NAME." if inner is not info else f"{name}.")
        else:
            yield name, inner


def printed(settings: Settings, *, as_json: bool) -> str:
    """What `repmon config show` prints."""
    with contextlib.redirect_stdout(StringIO()) as out, click.Context(click.Command("show"), obj=lambda: settings):
        assert show.callback is not None
        show.callback(as_json=as_json, sources=True)
    return out.getvalue()


def rich(settings: Settings) -> str:
    out = StringIO()
    Console(file=out, width=10_000).print(settings)
    return out.getvalue()


def settings_with(secret: str) -> Settings:
    """All secrets set, without the checks that refuse some of them."""
    base = Settings()
    replace = msgspec.structs.replace
    source = Source(
        format="mailgun", secret=secret, password=secret, token=secret, url=f"https://me:{secret}@h/?k={secret}"
    )
    return replace(
        base,
        kafka=Kafka(
            sasl_password=secret,
            ssl_key_password=secret,
            oauth_client_secret=secret,
            options=dict.fromkeys(SECRET_OPTIONS, secret),
        ),
        clickhouse=replace(base.clickhouse, password=secret, url=f"https://me:{secret}@store"),
        ingest=replace(base.ingest, hash_key=secret),
        grafana=replace(base.grafana, password=secret, token=secret, url=f"//me:{secret}@grafana/?t={secret}"),
        blocklists=replace(base.blocklists, keys={"abusix": secret}),
        collect=replace(base.collect, sources={"shop": source}),
    )


@given(SECRETS)
def test_no_secret_is_shown(secret: str) -> None:
    settings = settings_with(secret)
    for text in (
        printed(settings, as_json=False),
        printed(settings, as_json=True),
        repr(settings),
        str(settings.kafka),
        f"{settings.collect}",
        rich(settings),
        str(shown(settings)),
    ):
        assert secret not in text
        assert "***" in text


def said(file: Path | None = None, /, **environ: str) -> str:
    """What is shown of settings: the error, or what is in force."""
    try:
        return repr(load_settings(file, environ))
    except SettingsError as error:
        return str(error)


WRONG = {"REPMON_API__PORT": "x", "REPMON_KAFKA__NOTHING": "x", "REPMON_ZZZ__A": "x", "REPMON_KAFKA__OPTIONS": "x"}
SIGNS = ["", "x", '"', "@", "/", "\n", "{", "\\", "#"]


@given(SECRETS, st.sampled_from(sorted(SECRET)), st.sampled_from(SIGNS), st.sampled_from(sorted(WRONG)))
def test_no_secret_is_in_an_error_of_the_settings(secret: str, name: str, sign: str, wrong: str) -> None:
    """Also where another setting is wrong, or the secret contains a sign that breaks what it stands in."""
    value = SECRET[name].replace("%s", f"{secret}{sign}{secret}")
    for environ in ({name: value}, {name: value, wrong: WRONG[wrong]}, {name: f"[{value}"}, {f"{name}X": value}):
        assert secret not in said(**environ)


@given(SECRETS, st.sampled_from(SECRET_OPTIONS), st.sampled_from(["", "SASL_SSL", "SSL", "PLAINTEXT"]))
def test_no_secret_is_in_an_error_of_the_options_of_a_client(secret: str, option: str, protocol: str) -> None:
    options = {option: secret, "security.protocol": protocol, "sasl.mechanism": "PLAIN", "sasl.username": "me"}
    assert secret not in said(REPMON_KAFKA__OPTIONS=msgspec.json.encode(options).decode())


@given(secret=SECRETS)
def test_no_secret_is_in_an_error_of_the_file(secret: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "secret.toml"
    for text in ('[kafka]\nsasl_password = "%s', "[kafka]\nsasl_password = %s\n", '[grafana]\ntoken = ["%s"]\n'):
        file.write_text(text % secret, encoding="utf-8")
        found = said(file)
        assert found.startswith(str(file))
        assert secret not in found


def test_every_field_that_sounds_like_a_secret_is_one() -> None:
    """A new one is thought of here: it is marked as a secret, or named as none."""
    for name, info in fields(Settings):
        if any(word in name.rsplit(".", 1)[-1] for word in ("password", "secret", "token", "key", "passphrase")):
            secret = isinstance(info, types.Metadata) and "secret" in (info.extra or {})
            assert secret or name in NOT_SECRET, name


def test_what_is_no_secret_is_shown() -> None:
    options = {"client.id": "shown", "fetch.wait.max.ms": "5", "ssl.ca.location": "/ca.pem", "new.option": "hidden"}
    found = shown(Kafka(options=options))
    assert found["options"] == {**options, "new.option": "***"}
    assert found["bootstrap"] == Kafka().bootstrap
    assert shown(Settings())["clickhouse"]["url"] == Settings().clickhouse.url
    assert shown(Source(format="ses", user="me"))["user"] == "me"


def test_secret_that_is_not_set_is_shown_as_empty() -> None:
    assert shown(Settings())["kafka"]["sasl_password"] == ""
    assert shown(Settings())["clickhouse"]["password"] == ""


def test_options_known_as_harmless_do_not_sound_like_secrets() -> None:
    assert not HARMLESS_OPTIONS & set(SECRET_OPTIONS)
    assert not any(option.endswith(HARMLESS_ENDINGS) for option in SECRET_OPTIONS)


@pytest.mark.parametrize(
    ("address", "without"),
    [
        ("http://store:8123", "http://store:8123"),
        ("http://store:8123/proxy/path", "http://store:8123/proxy/path"),
        ("http://me:hush@store:8123", "http://***@store:8123"),
        ("http://me:hu/sh@store", "http://***"),
        ("http://me:hu@sh@store", "http://***@store"),
        ("me:hush@store:8123", "***@store:8123"),
        ("http://me:hush@store/?a=hu@sh", "http://***"),
        ("https://host/hook?token=hush", "https://host/hook?***"),
        ("https://host/hook#hush", "https://host/hook?***"),
    ],
)
def test_address_is_shown_without_its_user_and_its_query(address: str, without: str) -> None:
    assert without_user(address) == without


def test_hidden_password_still_reaches_the_client(tmp_path: Path) -> None:
    """Only showing hides: what is loaded is what was written."""
    file = tmp_path / "my.toml"
    file.write_text('[clickhouse]\npassword = "hush"\n')
    assert load_settings(file, {}).clickhouse.password == "hush"
