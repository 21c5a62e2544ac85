"""Names of domains, in the form in which DNS is asked for them."""

import re

import idna

#: In all a name has 253 characters at most (RFC 1035 section 2.3.4); a blocklist's zone has to follow it.
MAX_LENGTH = 190
#: A label as it is sent. DNS itself allows anything (RFC 2181 section 11); domains that mail is sent from have
#: underscores and hyphens anywhere; names of hosts (RFC 1123 section 2.1) and IDNA (RFC 5891 section 4.2.3.1) do not.
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
#: Full stops (RFC 3490 section 3.1).
_DOTS = re.compile("[.\u3002\uff0e\uff61]")


def domain_name(text: str) -> str:
    """The name in lower-case ASCII (A-labels, RFC 5890) without a final dot; empty where the text is no domain of two
    labels or more."""
    try:
        labels = [_label(each) for each in _DOTS.split(text.strip().lower().rstrip("."))]
    except UnicodeError:
        return ""
    *above, top = labels
    name = ".".join(labels)
    return name if above and all(labels) and not top.isdigit() and len(name) <= MAX_LENGTH else ""


def folded(domain: str) -> str:
    """A domain in lower case as A-labels, where it has them; another as it is. Whoever asks for many leaves those of
    ASCII out, which stay as they are."""
    return domain if domain.isascii() else domain_name(domain) or domain


def _label(text: str) -> str:
    """Empty where it is none.

    Raises:
        UnicodeError: it is not of ASCII, and IDNA does not know it.
    """
    if text.isascii():
        return text if _LABEL.fullmatch(text) else ""
    return idna.encode(text).decode("ascii")
