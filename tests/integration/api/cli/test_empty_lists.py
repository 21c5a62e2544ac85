"""Commands that list something say so where there is nothing: to the person, not to who reads the lines."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import app
from schemas.errors import RepmonError
from schemas.settings import ClickHouse


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("alerts", "no alerts"),
        ("alerts --open --json", "no open alerts"),
        ("audit", "nothing is on record"),
        ("backup list", "no backups"),
        ("customers list", "no customers are listed"),
        ("dead-letters list", "no dead letters"),
        ("holds list", "no holds"),
        ("incidents list", "no incidents"),
        ("keys list", "no keys"),
        ("listings --open", "no listings"),
        ("notify failed", "no dead letters"),
        ("notify routes", "no routes; each is a table `[[notify.routes]]` of the settings (docs/notify.md)"),
        ("override list", "no overrides"),
        ("policy history", "no policy was applied yet"),
        ("suspend-hook list", "nothing is in force, waits or fails"),
    ],
)
def test_nothing_is_said_to_be_nothing(words: str, said: str, store_settings: ClickHouse, tmp_path: Path) -> None:
    config = tmp_path / "repmon.toml"
    config.write_text(
        f'[embedded]\ndata = "{tmp_path}"\n'
        f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n'
    )
    done = CliRunner().invoke(app, ["--config", str(config), *words.split()], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout == ""
    assert done.stderr == f"{said}\n"


@pytest.mark.parametrize("kind", ["a file", "nothing", "below a file", "a circle"])
@pytest.mark.parametrize("option", ["--data", "--folder"])
def test_place_of_backups_that_is_no_folder_is_an_error(kind: str, option: str, tmp_path: Path) -> None:
    """It was said that there are no backups."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "circle").symlink_to("circle")
    names = {"a file": "file", "nothing": "nowhere", "below a file": "file/x", "a circle": "circle"}
    place = str(tmp_path / names[kind])
    words = ["--data", place, "backup", "list"] if option == "--data" else ["backup", "list", "--folder", place]
    with pytest.raises(RepmonError, match=re.escape(place)):
        CliRunner().invoke(app, words, catch_exceptions=False)
