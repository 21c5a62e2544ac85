"""Whose domains and sending addresses are, as the operator says. Pure."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network

from schemas.domains import domain_name

#: Labels of a domain that are looked at, from the end.
MOST_LABELS = 8


def _key(domain: str) -> str:
    """A domain as it is known by: an internationalized one in the form that DNS and DKIM have (RFC 5890, A-label)."""
    plain = domain.lower().rstrip(".")
    return plain if plain.isascii() else domain_name(plain) or plain


class Owners:
    """Customers by the domains that are registered for them and the addresses that send for them alone."""

    def __init__(self, domains: Mapping[str, str] | None = None, addresses: Mapping[str, str] | None = None) -> None:
        """`domains` are names, each with all below it; `addresses` are IP addresses and networks (`192.0.2.16/28`).

        Raises:
            ValueError: an address or a network is none; says which.
        """
        self._said = {_key(name): customer for name, customer in (domains or {}).items()}
        self._domains = self._said
        self._single: dict[str, str] = {}
        self._networks = []
        for text, customer in (addresses or {}).items():
            network = ip_network(text.strip(), strict=False)
            if network.prefixlen == network.max_prefixlen:
                self._single[str(network.network_address)] = customer
            else:
                self._networks.append((network, customer))
        # The smallest that an address is in decides.
        self._networks.sort(key=lambda each: -each[0].prefixlen)

    def with_registered(self, pairs: Iterable[tuple[str, str]]) -> "Owners":
        """The same with more domains, each with its customer. What is said already stays; a domain that two customers
        have is nobody's."""
        more = Owners()
        more._said, more._single, more._networks = self._said, self._single, self._networks
        more.set_registered(pairs)
        return more

    def set_registered(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take these in place of those that were registered before, at once for whoever asks. Any thread may."""
        registered: dict[str, str] = {}
        for name, customer in pairs:
            key = _key(name)
            registered[key] = customer if registered.get(key, customer) == customer else ""
        self._domains = {**registered, **self._said}

    def of_domain(self, domain: str) -> str:
        """Whose a domain is: that of its longest end that is registered; empty for one that is nobody's."""
        labels = _key(domain.strip()).split(".")[-MOST_LABELS:]
        ends = (".".join(labels[first:]) for first in range(len(labels)))
        return next((self._domains[end] for end in ends if end in self._domains), "")

    def of_address(self, text: str) -> str:
        """Whose a sending address is; empty for one that is nobody's, or no address."""
        if not self._single and not self._networks:
            return ""
        try:
            address = ip_address(text.strip(" []"))
        except ValueError:
            return ""
        if (mapped := getattr(address, "ipv4_mapped", None)) is not None:
            address = mapped
        found = self._single.get(str(address))
        return found or next((customer for network, customer in self._networks if address in network), "")
