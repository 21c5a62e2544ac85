"""Names that come in from outside: of customers, streams and IP pools. One rule for every way in. Pure."""

import re

from schemas.errors import InvalidInputError

#: What no name may hold: it steers terminals, forges lines of logs and tables, or shows a name as another one.
#: Control characters (Unicode category Cc: C0, DEL, C1), line and paragraph separators, and the characters that embed,
#: override or isolate a direction of writing (Unicode Standard Annex 9, sections 2.1 to 2.5). The marks U+200E and
#: U+200F and the joiners U+200C and U+200D belong to the spelling of some languages and are taken.
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class BadNameError(InvalidInputError):
    """A name that cannot be used; the message continues after the name of the field."""


def clean_name(text: str) -> str:
    """The name without blanks (spaces, tabs, line ends) at either end; empty where there is nothing else.

    Raises:
        BadNameError: a character of `FORBIDDEN` is in it.
    """
    name = text.strip()
    # Nearly every name can be printed, and this is quicker than the search.
    if not name.isprintable() and (found := FORBIDDEN.search(name)):
        character = ord(found[0])
        raise BadNameError(
            f"contains the control character U+{character:04X}" if character else "contains a NUL character"
        )
    return name


def fault_of(name: str) -> str:
    """Why a name in a policy or in the settings can be nobody's; empty where it is a clean one."""
    try:
        return "" if clean_name(name) == name else "begins or ends with a blank"
    except BadNameError as error:
        return str(error)
