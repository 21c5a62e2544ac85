"""The two templates of a mail, its text and its HTML: built-in ones, or files of the operator in `mail.folder`.

Jinja2 in its sandbox: a template reads what it is given and nothing else, and a name that does not exist is an error
and not an empty text. In HTML everything that is filled in is escaped.
"""

import re
import textwrap
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from jobs.mail.figures import FigureRow
from jobs.mail.languages import BUILT_IN
from jobs.mail.letter import CustomerLetter
from schemas.settings import SettingsError

TEXT, HTML = "letter.txt", "letter.html"
#: Own templates may build on `built-in/letter.html`.
PREFIX = "built-in"
WIDTH = 72
_GAPS = re.compile(r"\n{3,}")
#: Names of rows are not wider than this in the text.
NAME_WIDTH = 32


class Templates:
    """The templates of a folder, and the built-in ones for what is not there.

    Raises:
        SettingsError: a template cannot be read; naming file and line.
    """

    def __init__(self, folder: str = "") -> None:
        own = [FileSystemLoader(folder)] if folder else []
        built_in = FileSystemLoader(BUILT_IN)
        self._environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader([*own, built_in, PrefixLoader({PREFIX: built_in})]),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters.update(wrap=wrapped, table=as_table, linked=linked)
        self._folder = Path(folder)
        for name in (TEXT, HTML):
            try:
                self._environment.get_template(name)
            except TemplateSyntaxError as error:
                raise SettingsError(f"mail.folder: {error.filename}:{error.lineno}: {error.message}") from error
            except (TemplateNotFound, UnicodeDecodeError, OSError) as error:
                raise SettingsError(f"mail.folder: {self._folder / name}: cannot be read: {error}") from error

    def text(self, letter: CustomerLetter) -> str:
        """The text.

        Raises:
            SettingsError: the template fails; naming file and line.
        """
        lines = [line.rstrip() if line != "-- " else line for line in self._filled(TEXT, letter).splitlines()]
        return _GAPS.sub("\n\n", "\n".join(lines)).strip("\n") + "\n"

    def html(self, letter: CustomerLetter) -> str:
        """The HTML.

        Raises:
            SettingsError: the template fails; naming file and line.
        """
        return self._filled(HTML, letter)

    def _filled(self, name: str, letter: CustomerLetter) -> str:
        try:
            return str(self._environment.get_template(name).render(letter=letter))
        except TemplateSyntaxError as error:  # of a file that another one includes
            raise SettingsError(f"mail.folder: {error.filename}:{error.lineno}: {error.message}") from error
        except TemplateNotFound as error:
            raise SettingsError(f"mail.folder: {self._place(error, name)}: there is no file {error.name!r}") from error
        except Exception as error:  # a template may fail in any way, and it is the operator's
            raise SettingsError(f"mail.folder: {self._place(error, name)}: {error or type(error).__name__}") from error

    def _place(self, error: Exception, name: str) -> str:
        """File and line: Jinja2 gives the frames of a template their places in its file."""
        folders = (str(self._folder), str(BUILT_IN))
        frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(folders)]
        found = [each for each in frames if not each.filename.endswith(".py")]
        return f"{found[-1].filename}:{found[-1].lineno}" if found else str(self._folder / name)


def wrapped(text: str, indent: int = 0) -> str:
    """Text in lines of at most `WIDTH` characters, behind `indent` others; names are never broken."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    ).lstrip()


def as_table(rows: Sequence[FigureRow]) -> str:
    """Rows with their values below each other."""
    width = min(NAME_WIDTH, max(len(row.name) for row in rows) + 1)
    return "\n".join(_rows(rows, width))


def linked(text: str, page: str) -> Markup:
    """Text with the page in it as a link; of other pages than those of the Web nothing is made."""
    if not page.startswith(("https://", "http://")):
        return escape(text)
    before, found, after = text.partition(page)
    if not found:
        return escape(text)
    return escape(before) + Markup('<a href="{0}">{0}</a>').format(page) + escape(after)


def _rows(rows: Iterable[FigureRow], width: int) -> Iterable[str]:
    for row in rows:
        name = f"{row.name}:".ljust(width)
        yield f"{name} {wrapped(row.value, len(name) + 1)}"
