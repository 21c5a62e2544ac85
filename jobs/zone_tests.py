"""Put the self-test of RFC 5782 before zones, through the configured resolvers."""

from collections.abc import Mapping, Sequence

from jobs.dnsbl import Asking, ask_verbatim, asking
from jobs.dnsbl_answer import Raw
from jobs.zone_trust import Held, probes, verdict
from schemas.blocklists import Family, Zone
from schemas.settings import Blocklists


async def self_test(tests: Sequence[tuple[Zone, Family]], settings: Blocklists | Asking) -> dict[Held, str]:
    """Why each zone and family failed; empty for those that passed.

    A question without an answer is put to the next resolver. A wrong answer is final: a resolver that gives one would
    give others.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    how = settings if isinstance(settings, Asking) else asking(settings)
    found: dict[Held, str] = {}
    remaining = list(tests)
    for resolver in how.settings.resolvers or [""]:
        names = [(probe.name, zone) for zone, family in remaining for probe in probes(zone, family)]
        answers = await ask_verbatim(names, how, resolver)
        found |= {Held(zone.zone, family): verdict(zone, family, answers) for zone, family in remaining}
        remaining = [(zone, family) for zone, family in remaining if _unanswered(zone, family, answers)]
        if not remaining:
            break
    return found


def _unanswered(zone: Zone, family: Family, answers: Mapping[tuple[str, str], Raw]) -> bool:
    return any(answers[probe.name, zone.zone].error is not None for probe in probes(zone, family))
