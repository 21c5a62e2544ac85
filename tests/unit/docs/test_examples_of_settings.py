"""Every example of settings in a page can be put into repmon.toml as it stands."""

import re
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from schemas.settings import Settings
from schemas.settings_file import load_settings
from tests.support.root import ROOT

BLOCK = re.compile(r"^(?P<indent> *)```toml\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
SECTIONS = set(Settings.__struct_fields__)
#: By page and line, so that a failure says where.
EXAMPLES = {
    f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, block.start()) + 1}": dedent(block["text"])
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    for text in [page.read_text(encoding="utf-8")]
    for block in BLOCK.finditer(text)
}
OF_SETTINGS = {where: text for where, text in EXAMPLES.items() if set(tomllib.loads(text)) <= SECTIONS}


@pytest.mark.parametrize("where", OF_SETTINGS)
def test_example_of_settings_is_taken(where: str, tmp_path: Path) -> None:
    file = tmp_path / "repmon.toml"
    file.write_text(OF_SETTINGS[where], encoding="utf-8")
    load_settings(file, environ={})


def test_most_examples_are_settings() -> None:
    assert len(OF_SETTINGS) > len(EXAMPLES) / 2 > 4
