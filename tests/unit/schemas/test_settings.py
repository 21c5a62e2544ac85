"""Settings: defaults, then the file, then the environment; what is wrong is named with its place."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.settings import Settings, SettingsError
from schemas.settings_file import RENAMED, load_settings


def written(folder: Path, text: str) -> Path:
    file = folder / "my.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(file: Path | None = None, /, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(file, environ)
    return str(caught.value)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_file_and_environment_the_defaults_hold() -> None:
    assert load_settings(environ={}) == Settings()


def test_file_of_the_working_folder_is_read_if_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "repmon.toml").write_text('[kafka]\nbootstrap = "broker:9092"\n')
    assert load_settings(environ={}).kafka.bootstrap == "broker:9092"


def test_named_file_replaces_that_of_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "repmon.toml").write_text('[kafka]\nbootstrap = "broker:9092"\n')
    assert load_settings(written(tmp_path, "[api]\nport = 81\n"), {}) == msgspec.convert(
        {"api": {"port": 81}}, Settings
    )


def test_environment_overrides_the_file_field_by_field(tmp_path: Path) -> None:
    file = written(tmp_path, '[kafka]\nbootstrap = "broker:9092"\ngroup = "a"\n')
    settings = load_settings(file, {"REPMON_KAFKA__BOOTSTRAP": "other:9092"})
    assert (settings.kafka.bootstrap, settings.kafka.group) == ("other:9092", "a")


def test_environment_gives_numbers_truths_lists_and_tables() -> None:
    settings = load_settings(
        environ={
            "REPMON_API__PORT": "81",
            "REPMON_INGEST__FLUSH_SECONDS": "0.5",
            "REPMON_KAFKA__STATIC_ASSIGNMENT": "true",
            "REPMON_BLOCKLISTS__RESOLVERS": '["192.0.2.1", "2001:db8::1"]',
            "REPMON_INGEST__MAPPING": '{"kumomta": {"customer": "tenant"}}',
        }
    )
    assert (settings.api.port, settings.ingest.flush_seconds, settings.kafka.static_assignment) == (81, 0.5, True)
    assert settings.blocklists.resolvers == ["192.0.2.1", "2001:db8::1"]
    assert settings.ingest.mapping["kumomta"].customer == "tenant"


@pytest.mark.parametrize("password", ["[bracket", "{brace}", "123", "true", "null"])
def test_text_in_the_environment_is_taken_as_it_is(password: str) -> None:
    assert load_settings(environ={"REPMON_CLICKHOUSE__PASSWORD": password}).clickhouse.password == password


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[kafka]\nbotstrap = "a"', "kafka: there is no setting `botstrap`; did you mean `bootstrap`?"),
        ("[kafak]\n", "there is no section `kafak`; did you mean `kafka`?"),
        ("[zzz]\n", "there is no section `zzz`"),
        ('[api]\nport = "81"', "api.port: must be a whole number, not text"),
        ("[api]\nport = 65536", "api.port: must be at most 65,535"),
        ("[monitor]\nsweep_s = 0", "monitor.sweep_s: must be more than 0"),
        ("[monitor]\nsweep_s = inf", "monitor.sweep_s: must be at most 1,000,000,000"),
        ("[monitor]\nsweep_s = nan", "monitor.sweep_s: must be more than 0"),
        (
            '[blocklists]\nextra_resources = ["192.0.2.1", "no domain"]',
            "blocklists.extra_resources: 'no domain' is neither an IP address nor a",
        ),
        ("[blocklists]\njitter = 0.6", "blocklists.jitter: must be at most 0.5"),
        ("[blocklists.every_minutes]\ncritical = 0", "blocklists.every_minutes.critical: must be at least 0.01"),
        ("[blocklists.every_minutes]\nugly = 5", "blocklists.every_minutes: Object contains unknown field `ugly`"),
        ("kafka = 3", "kafka: must be a table of names and values, not a whole number"),
        ('[clickhouse]\nurl = "store:8123"', "clickhouse.url: 'store:8123' is not an http or https address"),
        ('[clickhouse]\nurl = "http://store:99999"', "clickhouse.url: 'http://store:99999' is not an http"),
        ('[blocklists]\nresolvers = ["dns.example"]', "blocklists.resolvers: 'dns.example' is not an IP address"),
        ('[blocklists]\nresolvers = ["192.0.2.53:0"]', "blocklists.resolvers: '192.0.2.53:0' is not an IP address"),
        (
            '[blocklists]\nresolvers = ["[2001:db8::53]x"]',
            "blocklists.resolvers: '[2001:db8::53]x' is not an IP address",
        ),
        (
            '[ingest.mapping.arf]\nreporters = "known"',
            "ingest.mapping.arf.reporters: needs `authserv_ids`, by which reporters are known",
        ),
        ('[ingest.domain_owners]\n"acme" = "acme"', "ingest.domain_owners: 'acme' is not a domain"),
        ('[ingest.domain_owners]\n"acme.example" = " a"', "ingest.domain_owners.acme.example: ' a' begins"),
        (
            '[ingest.address_owners]\n"192.0.2.0/33" = "acme"',
            "ingest.address_owners: '192.0.2.0/33' is neither an IP address nor a network",
        ),
        (
            '[ingest.mapping.arf]\ndefault_customer = " house"',
            "ingest.mapping.arf.default_customer: ' house' begins or ends with a blank",
        ),
        (
            '[blocklists.dedicated_pools]\npool-1 = "ac\\u001bme"',
            "blocklists.dedicated_pools.pool-1: 'ac\\x1bme' contains the control character U+001B",
        ),
        ('[blocklists.dedicated_pools]\n"pool " = "acme"', "blocklists.dedicated_pools: 'pool ' begins or ends"),
        ("x = [", "not valid TOML: "),
    ],
)
def test_fault_of_a_file_names_file_and_setting(tmp_path: Path, text: str, said: str) -> None:
    file = written(tmp_path, text)
    message = refusal(file)
    assert message.startswith(f"{file}: {said}")
    assert "\n" not in message


@pytest.mark.parametrize(("section", "old", "new"), [(*place, new) for place, new in RENAMED.items()])
def test_old_name_of_a_setting_is_refused_with_the_new_one(tmp_path: Path, section: str, old: str, new: str) -> None:
    file = written(tmp_path, f"[{section}]\n{old} = 1\n")
    assert refusal(file) == f"{file}: {section}: `{old}` is called `{new}` now"
    variable = f"REPMON_{section}__{old}".upper()
    with pytest.raises(SettingsError) as refused:
        load_settings(environ={variable: "1"})
    assert str(refused.value) == f"{variable}: {section}: `{old}` is called `{new}` now"
    known = {each.name for each in msgspec.structs.fields(getattr(Settings(), section))}
    assert new in known
    assert old not in known


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.toml") == f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory"
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("REPMON_KAFKA__BOTSTRAP", "a", "kafka: there is no setting `botstrap`; did you mean `bootstrap`?"),
        ("REPMON_KAFAK__GROUP", "a", "there is no section `kafak`; did you mean `kafka`?"),
        ("REPMON_API__PORT", "http", "api.port: must be a whole number, not text"),
        ("REPMON_INGEST__FORMATS", "{", "not valid JSON: Input data was truncated"),
        ("REPMON_BLOCKLISTS__RESOLVERS", "192.0.2.1", "blocklists.resolvers: must be a list, not text; in the env"),
        ("REPMON_CLICKHOUSE__URL", "", "clickhouse.url: '' is not an http or https address"),
        ("REPMON_KAFKA__GROUP", "\udcff", "not valid UTF-8"),
        ("REPMON_KAFKA_BOOTSTRAP", "a", "a setting has two underscores, REPMON_KAFKA__BOOTSTRAP"),
    ],
)
def test_fault_of_the_environment_names_the_variable(tmp_path: Path, name: str, value: str, said: str) -> None:
    assert refusal(written(tmp_path, "[kafka]\n"), **{name: value}).startswith(f"{name}: {said}")


def test_variables_of_others_are_passed_over() -> None:
    others = {
        "REPMON_API_PORT": "tcp://192.0.2.1:8080",
        "REPMON_SERVICE_HOST": "192.0.2.1",
        "HOME": "/",
        "KAFKA__X": "1",
    }
    assert load_settings(environ=others) == Settings()


def test_user_password_and_options_in_an_address_are_refused() -> None:
    assert "clickhouse.password" in refusal(REPMON_CLICKHOUSE__URL="http://me:hush@store:8123")
    assert "goes into the settings of [clickhouse]" in refusal(REPMON_CLICKHOUSE__URL="https://store?verify=false")
    assert "kafka.sasl_password" in refusal(REPMON_KAFKA__BOOTSTRAP="me:hush@broker:9092")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('ca_file = "/ca.pem"', "clickhouse.ca_file has no effect: clickhouse.url is not https"),
        ("verify = false", "clickhouse.verify has no effect: clickhouse.url is not https"),
        ('url = "https://s"\npath = "/d"\nserver_name = "s"', "server_name has no effect: clickhouse.path is set"),
        ('url = "https://s"\nkey_file = "/k"', "key_file has no effect without clickhouse.certificate_file"),
    ],
)
def test_setting_about_encryption_of_the_store_that_has_no_effect_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in refusal(written(tmp_path, f"[clickhouse]\n{text}\n"))


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("change-me", "is a placeholder that anybody can guess"),
        ("Change Me, please", "is a placeholder that anybody can guess"),
        ("your-secret-key-goes-here", "is a placeholder that anybody can guess"),
        ("0" * 32, "is a placeholder that anybody can guess"),
        ("k7#pQ2", "has 6 bytes, too few to be safe from being tried"),
        ("3f" * 20 + "Zz19" * 10, "has 80 bytes; it must have 16 to 64"),
    ],
)
def test_hash_key_that_can_be_guessed_is_refused_with_how_to_make_one(tmp_path: Path, key: str, said: str) -> None:
    how = "make one with `openssl rand -hex 32`, once for all that ingest"
    file = written(tmp_path, f'[ingest]\nhash_key = "{key}"\n')
    assert refusal(file) == f"{file}: ingest.hash_key: {said}; {how}"
    assert key not in refusal(REPMON_INGEST__HASH_KEY=key)


@pytest.mark.parametrize("key", ["", "9f8e7d6c5b4a3210", "6d21c1c0f3f7dbff" * 4, "qtaGaoMXipe_sfFy8SeUxBIUhA-kiFEy"])
def test_made_hash_key_is_taken(key: str) -> None:
    """What `openssl` and Python make; without one, what needs it says so."""
    assert load_settings(environ={"REPMON_INGEST__HASH_KEY": key}).ingest.hash_key == key


def webhooks(**sources: dict[str, Any]) -> dict[str, str]:
    return {"REPMON_COLLECT__SOURCES": msgspec.json.encode(sources).decode()}


def test_topics_of_webhooks_are_read_in_their_format() -> None:
    settings = load_settings(
        environ=webhooks(a={"format": "ses"}, b={"format": "ses"}, c={"format": "postal", "topic": "own.postal"})
    )
    assert settings.ingest.formats == {
        "mail.events": "canonical",
        "mail.webhooks.ses": "ses",
        "own.postal": "postal",
    }


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ({"Shop": {"format": "ses"}}, "'Shop' cannot be a name"),
        ({"a/b": {"format": "ses"}}, "'a/b' cannot be a name"),
        ({"a": {"format": "ses", "topic": "no topic"}}, "'no topic' cannot be the name of a topic"),
        ({"a": {"format": "ses", "topic": "reputation.alerts"}}, "reputation.alerts has its own format"),
        ({"a": {"format": "ses", "topic": "mail.events"}}, "mail.events is read as canonical"),
        (
            {"a": {"format": "ses", "topic": "t"}, "b": {"format": "postal", "topic": "t"}},
            "collect.sources.b: the topic t is read as ses; postal needs another topic",
        ),
        ({"a": {"format": "ses", "secrets": "x"}}, "unknown field `secrets`"),
        ({"a": {}}, "`format` is missing"),
    ],
)
def test_wrong_source_of_webhooks_is_named(sources: dict[str, Any], said: str) -> None:
    assert said in refusal(**webhooks(**sources))


def test_body_that_ingest_would_not_read_cannot_be_allowed() -> None:
    assert "collect.max_bytes" in refusal(REPMON_COLLECT__MAX_BYTES="1000001")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"auto.offset.reset": "latest"}, "`auto.offset.reset` cannot be set: ingest continues at what is stored"),
        ({"enable.auto.commit": "true"}, "`enable.auto.commit` cannot be set: offsets are committed once"),
        ({"allow.auto.create.topics": "true"}, "`allow.auto.create.topics` cannot be set: a topic made by asking"),
        ({"acks": "1"}, "`acks` must be `all`"),
        ({"group.id": "mine"}, "`group.id` is set by kafka.group"),
        ({"partitioner": "random"}, "`partitioner` cannot be set: a customer's events stay in one partition"),
        ({"group.protocol": "new"}, "`group.protocol` is one of classic, consumer, not 'new'"),
        (
            {"partition.assignment.strategy": "range,cooperative-sticky"},
            "`partition.assignment.strategy`: cooperative-sticky goes with no other",
        ),
        (
            {"group.protocol": "consumer", "session.timeout.ms": "9000"},
            "`session.timeout.ms` is the broker's to say where `group.protocol` is `consumer`",
        ),
    ],
)
def test_kafka_option_that_ingest_cannot_honour_is_refused_with_the_reason(options: dict[str, str], said: str) -> None:
    assert f"kafka.options: {said}" in refusal(REPMON_KAFKA__OPTIONS=msgspec.json.encode(options).decode())


@pytest.mark.parametrize(
    "options",
    [
        {"partition.assignment.strategy": "cooperative-sticky"},
        {"partition.assignment.strategy": "range, roundrobin"},
        {"group.protocol": "consumer", "group.remote.assignor": "uniform"},
        {"acks": "all", "enable.auto.commit": "false", "client.rack": "r1"},
    ],
)
def test_kafka_option_that_breaks_nothing_is_kept(options: dict[str, str]) -> None:
    environ = {"REPMON_KAFKA__OPTIONS": msgspec.json.encode(options).decode()}
    assert load_settings(environ=environ).kafka.options == options


def test_template_in_markdown_is_refused_with_what_takes_its_place(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, '[alerts]\ntext_file = "alert.md"\n'))
    assert "alerts.text_file: templates in Markdown are no longer read; set mail.folder to a folder" in said
