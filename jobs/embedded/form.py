"""A form (RFC 7578, multipart/form-data), as drivers send parameters that are too long for an address.

Not read as a mail is by the standard library: that makes a class for every header of every part, in cycles that stay
until the collector looks. It cost 1.4 ms a statement, and held tens of megabytes after some minutes.
"""

import re

_BOUNDARY = re.compile(r'boundary=(?:"(?P<quoted>[^"]+)"|(?P<bare>[^\s;]+))', re.I)
_NAME = re.compile(rb'^content-disposition:[^\r\n]*?;[ \t]*name="([^"\r\n]*)"', re.I | re.M)


def is_form(content_type: str) -> bool:
    """Whether a body of this Content-Type is one."""
    return content_type.lower().startswith("multipart/form-data")


def form_fields(content_type: str, body: bytes) -> dict[str, str]:
    """The values of a form by their names; a part without a name is left out, and what is no form has none.

    Raises:
        UnicodeDecodeError: a value is not UTF-8.
    """
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return {}
    line = b"\r\n--" + (boundary["quoted"] or boundary["bare"]).encode()
    found = {}
    for part in (b"\r\n" + body).split(line)[1:]:
        if part.startswith(b"--"):  # the end
            break
        head, _, value = part.partition(b"\r\n\r\n")
        if name := _NAME.search(head):
            found[name[1].decode()] = value.decode()
    return found
