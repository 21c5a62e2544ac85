"""Names of domains, in the form in which DNS is asked for them."""

import idna

#: In all a name has 253 characters at most (RFC 1035 section 2.3.4); a blocklist's zone has to follow it.
MAX_LENGTH = 190


def domain_name(text: str) -> str:
    """The name in lower-case ASCII (A-labels, RFC 5890) without a final dot; empty where the text is no domain of two
    labels or more."""
    bare = text.strip().lower().rstrip(".")
    try:
        name = idna.encode(bare).decode("ascii") if bare else ""
    except UnicodeError:
        return ""
    *above, top = name.split(".")
    return name if above and not top.isdigit() and len(name) <= MAX_LENGTH else ""
