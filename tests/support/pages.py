"""The commands in a page, in a reader's order, with what the page shows of their output; and whether output is that.

In a `console` block a line that begins with `$ ` is a command; one that ends with `|` or a backslash goes on in the
next. Lines below it are what it prints. There `...` stands for anything in a line, or by itself for any lines; times
stand for any time, and an id stands for whichever id was there when the page first showed it.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

#: Within a list it is indented.
BLOCK = re.compile(r"^(?P<indent> *)```console\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
#: "# ends with 1" after a command says its exit code, where that is not 0.
EXIT_CODE = re.compile(r"#.*\bends with (\d+)\b(?! if)")
TOKEN = re.compile(
    r"(?P<lines>^\.\.\.\n)|(?P<some>\.\.\.)"
    r"|(?P<time>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)|(?P<day>\b\d{4}-\d\d-\d\d\b)"
    r"|(?P<key>\brmk_[A-Za-z0-9_-]{43})|(?P<id>\b(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,64}\b)",
    re.MULTILINE,
)
ANY = {
    "lines": r"(?:.*\n)*?",
    "some": r"[^\n]*?",
    "time": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?",
    "day": r"\d{4}-\d\d-\d\d",
    "key": r"rmk_[A-Za-z0-9_-]{43}",
}
WORD = re.compile(r"\b[0-9a-f]{6,64}\b")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a page, with the line it stands in and what is shown of its output; empty where nothing is."""

    page: str
    line: int
    text: str
    shown: str

    @property
    def exit_code(self) -> int:
        """What the page says it ends with."""
        found = EXIT_CODE.search(self.text)
        return int(found[1]) if found else 0


@dataclass
class Ids:
    """Which id is meant by each that the pages show."""

    meant: dict[str, str] = field(default_factory=dict)

    def in_command(self, text: str) -> str:
        """A command with the ids that are meant; the beginning of one may stand for it."""
        return WORD.sub(lambda found: self._of(found[0]), text)

    def matches(self, shown: str, output: str) -> bool:
        """Whether output is what is shown; if so, the ids in it are what the page means from now on."""
        pattern, at = "", 0
        new: dict[str, str] = {}
        for token in TOKEN.finditer(shown):
            kind, text = str(token.lastgroup), token[0]
            pattern += re.escape(shown[at : token.start()])
            at = token.end()
            if kind != "id":
                pattern += ANY[kind]
            elif (known := self._of(text)) != text or text in self.meant:
                pattern += re.escape(known)
            elif text in new:
                pattern += f"(?P={new[text]})"
            else:
                new[text] = f"id{len(new)}"
                pattern += f"(?P<{new[text]}>[0-9a-f]{{{len(text)}}})"
        found = re.fullmatch(pattern + re.escape(shown[at:]), output)
        if found is not None:
            self.meant |= {text: found[group] for text, group in new.items()}
        return found is not None

    def _of(self, text: str) -> str:
        for known, actual in self.meant.items():
            if known.startswith(text):
                return actual[: len(text)]
        return text


def commands(page: Path) -> list[Command]:
    """All of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    found = []
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start("text")) + 1
        lines = dedent(block["text"]).splitlines()
        starts = [at for at, line in enumerate(lines) if line.startswith("$ ")]
        assert starts and starts[0] == 0, f"{page.name}:{first}: a block of commands begins with one"
        for at, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            last = at
            while lines[last].endswith(("|", "\\")):
                last += 1
            shown = "".join(f"{line.rstrip()}\n" for line in lines[last + 1 : end])
            command = "\n".join([lines[at].removeprefix("$ "), *lines[at + 1 : last + 1]])
            found.append(Command(page.name, first + at, command, shown))
    return found
