"""How old is what is known of each listing in force: a list that does not answer ends none."""

from dataclasses import dataclass

from streams.io.store import Store

#: When each listing that has not ended was last answered about, and why later looks got no answer. A report is an
#: answer too: of what other scanners saw there is nothing else.
LAST_LOOKS = """
SELECT said.resource, said.zone,
    toUnixTimestamp64Milli(greatest(said.seen, looks.looked)) AS looked_ms,
    if(said.failed > greatest(said.seen, looks.looked), said.reason, '')
FROM
(
    SELECT resource, zone,
        argMaxIf(type, (time, type), type != 'check_failed') AS state,
        maxIf(time, type IN ('listed', 'still_listed')) AS seen,
        maxIf(time, type = 'check_failed') AS failed,
        argMaxIf(reason, time, type = 'check_failed') AS reason
    FROM listing_events FINAL
    GROUP BY resource, zone
) AS said
LEFT JOIN
(
    SELECT resource, zone, looked FROM blocklist_looks FINAL
) AS looks ON looks.resource = said.resource AND looks.zone = said.zone
WHERE said.state IN ('listed', 'still_listed')
"""


@dataclass(frozen=True, slots=True)
class LastLook:
    """When (epoch ms, UTC) a list last gave an answer about a listing, and why it gave none since, empty where it was
    not asked."""

    looked_ms: int
    no_answer: str = ""


def last_looks(store: Store) -> dict[tuple[str, str], LastLook]:
    """The last look at each listing in force, by resource and zone.

    Raises:
        StoreError: the store failed.
    """
    return {
        (resource, zone): LastLook(int(looked_ms), no_answer)
        for resource, zone, looked_ms, no_answer in store.rows(LAST_LOOKS)
    }
