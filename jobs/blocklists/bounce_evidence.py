"""What receivers say of listings: the lists that recent bounces name, as questions to put to those lists."""

from collections.abc import Sequence

from jobs.blocklists.dnsbl import Question, questions
from jobs.blocklists.used_resources import resources_of
from schemas.blocklists import Zone
from streams.bounces.named_lists import lists_named_in
from streams.io.store import Store

#: Bounces looked at, at most; many receivers say the same of an address.
MOST = 10_000

REFUSED = """
SELECT sending_ip, from_domain, any(diagnostic)
FROM events
WHERE bounce_kind = 'block' AND time >= fromUnixTimestamp64Milli({since_ms:Int64})
GROUP BY sending_ip, from_domain, cityHash64(substring(diagnostic, 1, 200))
ORDER BY max(time) DESC
LIMIT {most:UInt32}
"""


def named_in_bounces(store: Store, zones: Sequence[Zone], since_ms: int) -> list[Question]:
    """What to look up because a bounce since then (epoch ms, UTC) names the list: the address at address lists, the
    From domain at domain lists.

    Raises:
        StoreError: the store failed.
    """
    by_name = {zone.zone: zone for zone in zones}
    found: dict[tuple[str, str], Question] = {}
    for address, domain, diagnostic in store.rows(REFUSED, {"since_ms": since_ms, "most": MOST}):
        for named in lists_named_in(diagnostic):
            zone = by_name.get(named.zone)
            if zone is None:
                continue
            resources = resources_of(address if zone.kind == "ip" else domain, zone.kind)
            for question in questions(resources, [zone]):
                found[question.name, zone.zone] = question
    return list(found.values())
