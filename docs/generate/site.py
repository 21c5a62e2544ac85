"""The documentation as a site: `python -m docs.generate.site` makes target/site out of the pages of the project.

The pages are written for who reads the project's files, so links lead from file to file. Here each file gets its place
on the site: pages of docs/ by their name, a few others by name (PAGES), and whatever else they link to (schemas,
policies, programs) as a page that shows it. Nothing is fetched while the site is built, and nothing when it is read
but what draws the diagrams.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
DOCS = PurePosixPath("docs")
#: Pages of the project that are not in docs/, by their place on the site.
PAGES = {
    "README.md": "index.md",
    "docs/README.md": "contents.md",
    "CHANGELOG.md": "changes.md",
    "benchmarks/RESULTS.md": "measurements.md",
    "findings/README.md": "findings.md",
}
#: Where files that pages link to are shown.
SHOWN = PurePosixPath("files")
PICTURES = frozenset({".png", ".svg"})
#: How a file is told to the highlighter.
LANGUAGES = {".py": "python", ".yml": "yaml", ".yaml": "yaml", ".md": "markdown", ".sh": "bash", ".jsonl": "json"}
LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
FENCE = re.compile(r"^\s*(```|~~~)")
LONGER_FENCE = "`" * 6


def pages(root: Path) -> dict[PurePosixPath, PurePosixPath]:
    """Every page of the project, from its place in the project to its place on the site."""
    own = {PurePosixPath(each): PurePosixPath(place) for each, place in PAGES.items() if (root / each).exists()}
    found = (PurePosixPath(each.relative_to(root)) for each in sorted((root / DOCS).glob("**/*.md")))
    return {**{each: each.relative_to(DOCS) for each in found}, **own}


def staged(root: Path) -> dict[PurePosixPath, str | Path]:
    """All files of the site before it is built: the text of a page, or the file that is copied as it is.

    Raises:
        ValueError: a page links to a file that is not there, with page and link.
    """
    places = pages(root)
    files: dict[PurePosixPath, str | Path] = {}
    waiting = list(places)
    while waiting:
        source = waiting.pop()
        place = places[source]
        if place in files:
            continue
        if source.suffix in PICTURES:
            files[place] = root / source
            continue
        text, linked = _page(root, source, places)
        files[place] = text
        waiting += linked
    return files


def _page(
    root: Path, source: PurePosixPath, places: dict[PurePosixPath, PurePosixPath]
) -> tuple[str, list[PurePosixPath]]:
    """The text of a page, and the files that it links to; they get their places."""
    file = root / source
    if file.is_dir():
        names = sorted(each.name + "/" * each.is_dir() for each in file.iterdir() if not each.name.startswith("__"))
        text = f"# {source}\n\n" + "".join(f"- [{each}]({file.name}/{each})\n" for each in names)
        base = source.parent
    elif source.suffix != ".md":
        language = LANGUAGES.get(source.suffix, source.suffix[1:])
        shown = file.read_text(encoding="utf-8")
        return f"# {source}\n\n{LONGER_FENCE}{language}\n{shown.rstrip()}\n{LONGER_FENCE}\n", []
    else:
        text, base = file.read_text(encoding="utf-8"), source.parent
    linked: list[PurePosixPath] = []

    def rewritten(link: re.Match[str]) -> str:
        name, hash_sign, anchor = link[0].partition("#")
        if "://" in name or name.startswith("mailto:") or not name:
            return link[0]
        target = PurePosixPath(*(root / base / name).resolve().relative_to(root.resolve()).parts)
        if not (root / target).exists():
            raise ValueError(f"{source}: {link[0]} leads nowhere")
        linked.append(target)
        place = places.setdefault(target, _place(root, target))
        return _from(places[source], place) + hash_sign + anchor

    return "\n".join(LINK.sub(rewritten, line) if prose else line for line, prose in _lines(text)) + "\n", linked


def _place(root: Path, target: PurePosixPath) -> PurePosixPath:
    """Where a file that is no page of its own is on the site."""
    place = target.relative_to(DOCS) if target.is_relative_to(DOCS) else SHOWN / target
    if (root / target).is_dir():
        return place / "index.md"
    return place if target.suffix in PICTURES else place.with_name(f"{place.name}.md")


def _from(page: PurePosixPath, target: PurePosixPath) -> str:
    """The way from one place to another, as a link says it."""
    return PurePosixPath(*[".."] * (len(page.parts) - 1), *target.parts).as_posix()


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of a page as Python-Markdown wants them, and whether each is prose (not code).

    CommonMark takes two blanks for what is within a list (three if it is numbered), and lets a list begin below a line
    of text; Python-Markdown takes four, and wants an empty line before.
    """
    code, before, within = False, "", 0
    for line in text.rstrip("\n").split("\n"):
        blanks = len(line) - len(line.lstrip(" "))
        if FENCE.match(line):
            code, within = not code, within if code else blanks
            yield " " * _widened(within) + line.lstrip(" "), False
        elif code:
            yield " " * _widened(within) * bool(line) + line.removeprefix(" " * within), False
        else:
            if line.startswith("- ") and before and not before.startswith(("- ", "  ")):
                yield "", True
            yield " " * _widened(blanks) + line.lstrip(" "), True
        before = line


def _widened(blanks: int) -> int:
    """Four for each level of lists."""
    return 4 * -(-blanks // 3)


def write(root: Path, folder: Path) -> None:
    """Put the files of the site, with its configuration, into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for place, content in staged(root).items():
        file = folder / "pages" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, file)
        else:
            file.write_text(content, encoding="utf-8")
    shutil.copyfile(root / DOCS / "site.toml", folder / "zensical.toml")


def build(folder: Path) -> int:
    """Build `site` in a folder that `write` made; 0 if that went without a warning."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=folder, check=False).returncode  # noqa: S603 - words of ours


def main() -> int:
    """Build target/site; 0 if that went without a warning."""
    folder = ROOT / "target" / "site-source"
    write(ROOT, folder)
    ended = build(folder)
    if ended == 0:
        site = ROOT / "target" / "site"
        shutil.rmtree(site, ignore_errors=True)
        (folder / "site").rename(site)
        print("the site is target/site; to read it: python -m http.server -d target/site")
    return ended


if __name__ == "__main__":
    sys.exit(main())
