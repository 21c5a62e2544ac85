"""The documentation as a site: every page has its place, links lead there, and the site is built without a warning."""

from pathlib import Path, PurePosixPath

import pytest

from docs.generate import site
from tests.support.root import ROOT


def project(folder: Path, **pages: str) -> Path:
    """A project of these files; `__` stands for a folder, `_` for the dot."""
    for name, text in pages.items():
        file = folder / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_links_lead_from_page_to_page(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        README_md="[policy](docs/policy.md#rules), [list](docs/README.md)",
        docs__README_md="[first](../README.md)",
        docs__policy_md="# Rules\n[decision](adr/1.md) [web](https://example.com/a.md) [here](#rules)",
        docs__adr__1_md="[policy](../policy.md)",
    )
    files = {str(place): text for place, text in site.staged(root).items()}
    assert files == {
        "index.md": "[policy](policy.md#rules), [list](contents.md)\n",
        "contents.md": "[first](index.md)\n",
        "policy.md": "# Rules\n[decision](adr/1.md) [web](https://example.com/a.md) [here](#rules)\n",
        "adr/1.md": "[policy](../policy.md)\n",
    }


def test_files_that_pages_link_to_are_shown(tmp_path: Path) -> None:
    root = project(tmp_path, docs__a_md="[rules](../schemas/p.toml) [all](../schemas)", schemas__p_toml="x = 1\n")
    files = {str(place): text for place, text in site.staged(root).items()}
    assert files["a.md"] == "[rules](files/schemas/p.toml.md) [all](files/schemas/index.md)\n"
    assert files["files/schemas/p.toml.md"] == "# schemas/p.toml\n\n``````toml\nx = 1\n``````\n"
    assert files["files/schemas/index.md"] == "# schemas\n\n- [p.toml](../../files/schemas/p.toml.md)\n"


def test_lists_are_as_python_markdown_wants_them(tmp_path: Path) -> None:
    root = project(tmp_path, docs__a_md="Two:\n- one\n  more\n  - inner\n\n```\nx:\n- [y](z)\n```\n")
    assert site.staged(root)[PurePosixPath("a.md")] == (
        "Two:\n\n- one\n    more\n    - inner\n\n```\nx:\n- [y](z)\n```\n"
    )


def test_code_within_a_list_stays_there(tmp_path: Path) -> None:
    page = "1. Do:\n\n   ```sh\n   a |\n     b\n   ```\n\n   Then:\n\n- x\n\n  ```\n  y\n  ```\n"
    assert site.staged(project(tmp_path, docs__a_md=page))[PurePosixPath("a.md")] == (
        "1. Do:\n\n    ```sh\n    a |\n      b\n    ```\n\n    Then:\n\n- x\n\n    ```\n    y\n    ```\n"
    )


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    root = project(tmp_path, docs__a_md="[b](b.md)")
    with pytest.raises(ValueError, match=r"docs/a\.md: b\.md leads nowhere"):
        site.staged(root)


def test_the_site_is_built_and_asks_nothing_of_others(tmp_path: Path) -> None:
    site.write(ROOT, tmp_path)
    assert site.build(tmp_path) == 0
    pages = sorted((tmp_path / "site").glob("*.html"))
    assert {"index.html", "tutorial.html", "policy.html"} <= {each.name for each in pages}
    for each in pages:
        text = each.read_text(encoding="utf-8")
        assert 'src="http' not in text and 'rel="stylesheet" href="http' not in text, each.name


def test_every_page_is_in_the_navigation() -> None:
    named = (ROOT / "docs" / "site.toml").read_text(encoding="utf-8")
    own = [place for place in site.pages(ROOT).values() if place.parts[0] != "adr"]
    assert [str(each) for each in own if f'"{each}"' not in named] == []
