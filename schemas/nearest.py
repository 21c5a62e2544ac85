"""What somebody who mistyped a name may have meant. Pure."""

from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that refuses a name: ``; did you mean `top`?``, or nothing where none is near."""
    from difflib import get_close_matches  # for who mistyped

    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
