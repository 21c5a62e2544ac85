"""Text from outside, made safe for a terminal."""


def harmless(text: str) -> str:
    """Text from outside that cannot steer a terminal: what cannot be printed is escaped, tabs are kept."""
    return "".join(
        each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode() for each in text
    )
