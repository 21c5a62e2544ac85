"""What the command line says of broker, store and folder, and what is looked at before anything is started."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.cli.up import check_written, with_targets
from schemas.errors import InvalidInputError
from schemas.settings import ClickHouse, Embedded, Kafka, Settings


def test_nothing_named_leaves_the_settings_as_they_are() -> None:
    assert with_targets(Settings(), "", "", "") == Settings()


def test_broker_named_by_its_default_address_is_not_taken_for_the_embedded_one() -> None:
    found = with_targets(Settings(), Kafka().bootstrap, "", "d")
    assert (found.kafka, found.embedded) == (Kafka(), Embedded(data="d", broker=False))


def test_store_named_by_its_default_address_is_not_taken_for_the_embedded_one() -> None:
    found = with_targets(Settings(), "", ClickHouse().url, "")
    assert (found.clickhouse, found.embedded) == (ClickHouse(), Embedded(store=False))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            {"notify": {"routes": [{"name": "on-call", "target": {"kind": "webhook", "url": "https://127.0.0.1/x"}}]}},
            "notify.routes, 'on-call': target.url: 127.0.0.1 is not a public address; allow it with",
        ),
        (
            {"notify": {"routes": [{"name": "chat", "target": {"kind": "chat", "url": "nowhere://x"}}]}},
            "notify.routes, 'chat': target.url: Apprise does not know such an address",
        ),
        ({"policy": {"file": "/nowhere/policy.toml"}}, "/nowhere/policy.toml"),
        ({"mail": {"folder": "BROKEN"}}, "letter.txt:1: "),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_started(
    tmp_path: Path, written: dict[str, Any], said: str
) -> None:
    (tmp_path / "letter.txt").write_text("{% if %}")
    text = msgspec.json.encode(written).replace(b"BROKEN", str(tmp_path).encode())
    with pytest.raises(InvalidInputError, match=re.escape(said)):
        check_written(msgspec.json.decode(text, type=Settings))
