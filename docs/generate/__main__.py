"""`python -m docs.generate` writes every generated page."""

from collections.abc import Callable
from pathlib import Path

from docs.generate import commands, events, findings, metrics, settings, tables, told, top, topics

FOLDER = Path(__file__).parents[1]
PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands.page,
    "settings.md": settings.page,
    "metrics.md": metrics.page,
    "top.md": top.page,
    "formats.md": told.page,
    "events.md": events.page,
    "topics.md": topics.page,
    "tables.md": tables.page,
    "../findings/README.md": findings.page,
}


def main() -> None:
    """Write each page that is not as it should be."""
    for name, page in PAGES.items():
        file, text = FOLDER / name, page()
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
