"""The domain that somebody registered, of any name below it: the public suffix and one label more.

The Public Suffix List comes with the package; nothing is asked over the network. Its private part counts too: what
stands below a host's own domain (`acme.github.io`) is a domain of its own.
"""

from functools import cache

from publicsuffixlist import PublicSuffixList


def registered_domain(name: str) -> str:
    """The registered domain of a name, which may be the name itself; empty for a public suffix such as `co.uk`."""
    return _suffixes().privatesuffix(name) or ""


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
