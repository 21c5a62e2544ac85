"""Mail of every kind that judging knows: streams, sub-accounts, classes, providers, addresses, pools, From domains, and
outcomes whose mail was sent nobody knows when. Random, and the same for the same seed."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

from streams.io.store import Store
from tests.support.api_client import MINUTE, NOW

STREAMS = ("eu/news", "us/offers", "receipts")
PROVIDERS = ("yahoo", "gmail", "microsoft", "sms_gateway")
POOLS = ("east", "west")
MEASURES = (
    *("delivered", "hard", "block", "expired", "late_hard", "complained", "unsubscribed"),
    *("undated_hard", "undated_block", "undated_expired", "undated_complained", "undated_unsubscribed"),
)
_sources = count()


class Mail(NamedTuple):
    """What was counted of some mail in one minute (epoch s)."""

    at: int
    customer: str
    stream: str = "eu/news"
    stream_class: str = "bulk"
    provider: str = "yahoo"
    ip: str = "192.0.2.1"
    pool: str = "east"
    domain: str = "acme.example"
    delivered: int = 0
    hard: int = 0
    block: int = 0
    expired: int = 0
    late_hard: int = 0
    complained: int = 0
    unsubscribed: int = 0
    undated_hard: int = 0
    undated_block: int = 0
    undated_expired: int = 0
    undated_complained: int = 0
    undated_unsubscribed: int = 0


def store_mail(store: Store, some: Iterable[Mail]) -> None:
    """Count it in every dimension, as a flush does."""
    rows = [
        {
            **{name: getattr(each, name) for name in ("customer", "stream", *MEASURES)},
            **{"class": each.stream_class, "dimension": dimension, "value": value, "source": f"rich{next(_sources)}"},
            "bucket": datetime.fromtimestamp(each.at // MINUTE * MINUTE, UTC),
        }
        for each in some
        for dimension, value in (
            ("provider", each.provider),
            ("ip", each.ip),
            ("pool", each.pool),
            ("from", each.domain),
        )
    ]
    if rows:
        store.insert("counts", {name: [row[name] for row in rows] for name in rows[0]})


def random_mail(
    seed: int, customers: Sequence[str], count: int, back: int, *, now: int = NOW, undated: bool = True
) -> list[Mail]:
    """So many pieces over the last `back` seconds, more of them lately. What came late and undated is part of what was
    counted."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        customer = chance.choice(customers)
        bad = chance.random() < 0.3
        late = {name: chance.randrange(3) * undated for name in MEASURES if name.startswith("undated_")}
        found.append(
            Mail(
                now - 1 - int(back * chance.random() ** 2),
                customer,
                chance.choice(STREAMS),
                chance.choice(("bulk", "transactional")),
                chance.choice(PROVIDERS),
                f"192.0.2.{chance.randrange(4)}",
                chance.choice(POOLS),
                f"{chance.choice('abc')}.{customer}.example",
                delivered=chance.randrange(50, 400),
                hard=chance.randrange(60 if bad else 4) + late["undated_hard"],
                block=chance.randrange(60 if bad else 4) + late["undated_block"],
                expired=chance.randrange(3) + late["undated_expired"],
                late_hard=late["undated_hard"],
                complained=chance.randrange(4 if bad else 2) + late["undated_complained"],
                unsubscribed=chance.randrange(4) + late["undated_unsubscribed"],
                **late,
            )
        )
    return found
