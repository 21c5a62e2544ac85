"""How the commands of a page are read, and when output is what the page shows."""

from pathlib import Path

import pytest

from tests.support.pages import Command, Ids, commands

PAGE = """# A page

```console
$ first --one   # says so; ends with 3
shown
$ echo 1 |
    second

last
$ third
```

```toml
$ none
```
"""


def test_commands_are_read_with_their_lines_and_what_is_shown(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    found = commands(page)
    assert found == [
        Command("page.md", 4, "first --one   # says so; ends with 3", "shown\n"),
        Command("page.md", 6, "echo 1 |\n    second", "\nlast\n"),
        Command("page.md", 10, "third", ""),
    ]
    assert [each.exit_code for each in found] == [3, 0, 0]


def test_an_exit_code_that_depends_is_none() -> None:
    assert Command("", 1, "zones test  # ends with 1 if one fails", "").exit_code == 0


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ("65 of 249\n", "65 of 249\n", True),
        ("65 of 249\n", "66 of 249\n", False),
        ("a (b) [c]\n", "a (b) [c]\n", True),
        ("since 2026-03-12T10:34:56.000Z: x\n", "since 2027-01-01T00:00:00.123Z: x\n", True),
        ("since 2026-03-12T10:34:56.000Z: x\n", "since yesterday: x\n", False),
        ("on 2026-03-12\n", "on 2027-01-01\n", True),
        ("first ... last\n", "first, second, last\n", False),
        ("first ... last\n", "first and last\n", True),
        ("first\n...\nlast\n", "first\nsecond\nthird\nlast\n", True),
        ("first\n...\nlast\n", "first\nlast\n", True),
        ("first\n...\n", "second\n", False),
    ],
)
def test_output_is_what_is_shown(shown: str, output: str, same: bool) -> None:
    assert Ids().matches(shown, output) is same


def test_an_id_means_the_one_that_was_there_first() -> None:
    ids = Ids()
    assert ids.matches("alert 4ad262bb11 and 4ad262bb11\n", "alert 99aa00ff22 and 99aa00ff22\n")
    assert ids.in_command("alerts ack 4ad262bb --why faded") == "alerts ack 99aa00ff --why faded"
    assert ids.matches("4ad262bb11\n", "99aa00ff22\n")
    assert not ids.matches("4ad262bb11\n", "99aa00ff23\n")
    assert not Ids().matches("4ad262bb11 4ad262bb11\n", "99aa00ff22 99aa00ff23\n")
