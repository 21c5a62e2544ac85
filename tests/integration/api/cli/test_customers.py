"""`repmon customers` says of which languages there are no texts; the list takes them: texts may be added later."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.main import app
from schemas.settings import ClickHouse
from streams.decisions.customers import read_customers
from streams.io.store import Store


@pytest.fixture
def config(store_settings: ClickHouse, tmp_path: Path) -> Path:
    file = tmp_path / "repmon.toml"
    file.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')
    return file


def call(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), "customers", *words, "--by", "Ida"])


@pytest.mark.parametrize(
    ("tag", "noted"),
    [
        ("de", ""),
        ("de-AT", ""),
        ("", ""),
        ("xx", "language: there are no texts in 'xx' (1 customer), so mail is written in 'en'; there are de, en"),
    ],
)
def test_language_without_texts_is_noted(config: Path, store: Store, tag: str, noted: str) -> None:
    done = call(config, "set", "acme", "--language", tag)
    assert done.exit_code == 0
    assert done.stderr.startswith(noted)
    assert bool(done.stderr) == bool(noted)
    assert [each.language for each in read_customers(store)] == [tag]


def test_languages_of_a_list_are_noted_once_each(config: Path, store: Store, tmp_path: Path) -> None:
    listed = tmp_path / "customers.csv"
    listed.write_text("customer,language\na,xx\nb,xx\nc,de\nd,\n")
    done = call(config, "import", str(listed))
    assert len(read_customers(store)) == 4
    assert done.stderr.count("\n") == 1
    assert "'xx' (2 customers)" in done.stderr
