"""Put the self-test of RFC 5782 before zones, through each resolver until one passes it."""

from collections.abc import Sequence

from jobs.dnsbl import ask_verbatim
from jobs.zone_trust import Held, probes, verdict
from schemas.blocklists import Family, Zone
from schemas.settings import Blocklists


async def self_test(tests: Sequence[tuple[Zone, Family]], settings: Blocklists) -> dict[Held, str]:
    """Why each zone and family failed through every resolver (by the first one); empty for those that passed.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    found: dict[Held, str] = {}
    for resolver in settings.resolvers or [""]:
        remaining = [(zone, family) for zone, family in tests if found.get(Held(zone.zone, family), "-")]
        names = [(probe.name, zone) for zone, family in remaining for probe in probes(zone, family)]
        answers = await ask_verbatim(names, settings, resolver)
        for zone, family in remaining:
            held, reason = Held(zone.zone, family), verdict(zone, family, answers)
            if not reason:
                found[held] = ""
            else:
                found.setdefault(held, reason)
    return found
