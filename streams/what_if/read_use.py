"""What acceptable use is judged by, by the hour: mail to telephones and from unregistered domains as counts, mail that
people had refused and From domains one by one. Read only where a policy asks for it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from schemas.policy_metric import NEW_AFTER_S, NEW_FROM, REPORTED_SPAM, Metric
from schemas.times import HOUR_S
from streams.io.store import Store, portions
from streams.listings.exposure import SENT_MAIL
from streams.subjects.arrays import Counts
from streams.subjects.left_out import HOUR_NOT_LEFT_OUT
from streams.subjects.reported import ReportedDay
from streams.what_if.timeline import DomainUse, UnwantedMail
from streams.windows.acceptable_use import UNREGISTERED
from streams.windows.reported import customers_reported, read_reported

GATEWAY = f"""
SELECT customer, stream, toUInt32(toStartOfHour(bucket)) AS hour, toInt64(sum({SENT_MAIL}))
FROM counts
WHERE dimension = 'provider' AND value = 'sms_gateway' AND customer IN {{customers:Array(String)}}
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
    AND {HOUR_NOT_LEFT_OUT}
GROUP BY customer, stream, hour
"""  # noqa: S608 - made of names from this project only

FROM_MAIL = f"""
SELECT customer, stream, toUInt32(toStartOfHour(bucket)) AS hour, toInt64(sum({SENT_MAIL})),
    toInt64(sumIf({SENT_MAIL}, {UNREGISTERED}))
FROM counts
INNER JOIN
(
    SELECT customer, domains FROM customers FINAL
    WHERE customer IN {{customers:Array(String)}} AND NOT gone AND notEmpty(domains)
) AS registered USING customer
WHERE dimension = 'from' AND customer IN {{customers:Array(String)}}
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
GROUP BY customer, stream, hour
"""  # noqa: S608 - made of names from this project only

UNWANTED = f"""
SELECT customer, stream, id, arraySort(groupArray(toInt64(toUnixTimestamp(unwanted_mail.time))))
FROM unwanted_mail
WHERE customer IN {{customers:Array(String)}} AND unwanted_mail.time >= toDateTime({{since:UInt32}})
    AND unwanted_mail.time < toDateTime({{until:UInt32}})
    AND {HOUR_NOT_LEFT_OUT.replace("bucket", "unwanted_mail.time")}
GROUP BY customer, stream, id
"""  # noqa: S608 - made of names from this project only

DOMAINS = f"""
SELECT customer, value, stream, toUInt32(toStartOfHour(bucket)) AS hour, toUnixTimestamp(min(bucket)),
    toInt64(sum({SENT_MAIL}))
FROM counts
WHERE dimension = 'from' AND customer IN {{customers:Array(String)}}
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
GROUP BY customer, value, stream, hour
ORDER BY customer, value, hour, stream
"""  # noqa: S608 - made of names from this project only

#: Puts rows of customer, stream, hour and numbers into the counts of subjects, as the fields named.
Fill = Callable[[Counts, Sequence[Sequence[Any]], Sequence[str]], None]


class ReadUse:
    """Reads it from `start_s` to `end_s` (epoch s), as far as the metrics that are `used` ask for it."""

    def __init__(self, store: Store, start_s: int, end_s: int, used: Collection[Metric]) -> None:
        self._store = store
        self._start, self._end = start_s, end_s
        self._used = used

    def add(self, counts: Counts, fill: Fill, customers: Sequence[str], cut_s: int = 0) -> None:
        """Fill in mail to telephones and from unregistered domains; with `cut_s` (epoch s) only that of the hour it
        lies in, before it.

        Raises:
            StoreError: the store failed.
        """
        since, until = (cut_s // HOUR_S * HOUR_S, cut_s) if cut_s else (self._start, self._end)
        if "sms_gateway" in self._used:
            fill(counts, self._rows(GATEWAY, customers, since, until), ("gateway",))
        if "unregistered_from" in self._used:
            fill(counts, self._rows(FROM_MAIL, customers, since, until), ("from_known", "from_unregistered"))

    def unwanted(self, customers: Sequence[str]) -> Mapping[str, Sequence[UnwantedMail]]:
        """By customer the mail that people had refused.

        Raises:
            StoreError: the store failed.
        """
        found: dict[str, list[UnwantedMail]] = defaultdict(list)
        if "unwanted" in self._used:
            for customer, stream, _, times in self._rows(UNWANTED, customers, self._start, self._end):
                found[customer].append(UnwantedMail(stream, tuple(times)))
        return found

    def domains(self, customers: Sequence[str]) -> Mapping[str, Sequence[DomainUse]]:
        """By customer its From domains, as far back as a domain is remembered.

        Raises:
            StoreError: the store failed.
        """
        if NEW_FROM not in self._used:
            return {}
        rows: dict[tuple[str, str], list[tuple[str, int, int, int]]] = defaultdict(list)
        for customer, value, *row in self._rows(DOMAINS, customers, max(0, self._start - NEW_AFTER_S), self._end):
            stream, hour, first, mail = row
            rows[customer, value].append((stream, int(hour), int(first), int(mail)))
        found: dict[str, list[DomainUse]] = defaultdict(list)
        for (customer, _), several in rows.items():
            found[customer].append(_use(several))
        return found

    def customers_reported(self) -> set[str]:
        """Of whom Gmail reported a spam rate.

        Raises:
            StoreError: the store failed.
        """
        return customers_reported(self._store, self._start, self._end) if REPORTED_SPAM in self._used else set()

    def reported(self, customers: Sequence[str]) -> Mapping[str, Sequence[ReportedDay]]:
        """By customer the spam rates that Gmail reported of its domains.

        Raises:
            StoreError: the store failed.
        """
        if REPORTED_SPAM not in self._used:
            return {}
        return read_reported(self._store, customers, self._start, self._end)

    def _rows(self, sql: str, customers: Sequence[str], since: int, until: int) -> list[Sequence[Any]]:
        asked = {"since": since, "until": until}
        found: list[Sequence[Any]] = []
        for names in portions(self._store, customers):
            found += self._store.rows(sql, {"customers": names, **asked})
        return found


def _use(rows: Sequence[tuple[str, int, int, int]]) -> DomainUse:
    hours = sorted({hour for _, hour, _, _ in rows})
    place = {hour: number for number, hour in enumerate(hours)}
    first = np.full(len(hours), np.iinfo(np.int64).max)
    mail = {stream: np.zeros(len(hours), np.int64) for stream, *_ in rows}
    for stream, hour, began, many in rows:
        first[place[hour]] = min(first[place[hour]], began)
        mail[stream][place[hour]] += many
    return DomainUse(np.array(hours, np.int64), first, mail)
