"""findings/README.md: every finding by the library it is about, from the heads of their scripts."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "findings"
HEAD = """# Findings

Where a library, tool or format of this field surprised us: valid input, behaviour that a good engineer would guess
wrong, and no fault of ours. Each script says in its first lines what one would guess, what happens and why it matters;
it installs the versions that it names into a temporary folder, runs them without this project, prints what came out,
and fails if that has changed.

```sh
bash findings/pydnsbl-refusal-is-a-listing.sh
```

They are no part of the tests, since they need the network. What would have hurt our users is mended here and has a
test. This page is made of the scripts (`make docs`).
"""
FIELD = re.compile(r"^# (Title|Date|Versions): (.+(?:\n#   .+)*)", re.MULTILINE)
PACKAGE = re.compile(r"(?:the (standard library of Python)|([\w.-]+)) ")


@dataclass(frozen=True, slots=True)
class Finding:
    """The head of a script."""

    file: str
    title: str
    date: str
    versions: str

    @property
    def library(self) -> str:
        """What it is about: the first of its versions."""
        found = PACKAGE.match(self.versions)
        if found is None:
            raise ValueError(f"{self.file}: Versions does not begin with a package")
        return found[2] or "Python's standard library"


def findings() -> list[Finding]:
    """All of them, by file.

    Raises:
        ValueError: a script lacks one of the lines.
    """
    found = []
    for file in sorted(FOLDER.glob("*.sh")):
        fields = {name: re.sub(r"\n#\s+", " ", text) for name, text in FIELD.findall(file.read_text(encoding="utf-8"))}
        try:
            found.append(Finding(file.name, fields["Title"], fields["Date"], fields["Versions"].split(". ")[0]))
        except KeyError as missing:
            raise ValueError(f"{file.name}: no line {missing}") from missing
    return found


def page() -> str:
    """The whole page."""
    by_library = defaultdict(list)
    for each in findings():
        by_library[each.library].append(each)
    parts = [HEAD]
    for library in sorted(by_library, key=str.lower):
        parts.append(f"\n## {library}\n\n")
        parts += (f"- [{each.title}]({each.file}) ({each.versions}; {each.date})\n" for each in by_library[library])
    return "".join(parts)
