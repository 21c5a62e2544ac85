"""How fast bounces are classified: by the rules alone, with masked wordings remembered, with whole texts remembered.

    python -m benchmarks.classify --bounces 100000

One core, one run, the same bounces. Wordings are those that large providers answer most, by Zipf; addresses, addresses
of hosts and ids differ in every bounce, so that no text comes twice: that is what masking is for. The last line has
bounces of a few thousand texts, as from one large customer.
"""

import argparse
import random
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from benchmarks import results
from benchmarks.measure import cores
from benchmarks.results import Figure
from schemas.event import MailEvent
from streams.bounces.classify import BounceClassifier, load_bounce_classifier
from streams.bounces.text import mask

#: Reply code, enhanced status, wording, provider; the most frequent first.
WORDINGS = (
    (
        550,
        "5.1.1",
        "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking the "
        "recipient's email address for typos or unnecessary spaces. "
        "https://support.google.com/mail/?p=NoSuchUser {id} - gsmtp",
        "gmail",
    ),
    (550, "5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable. [{host} {time} {id}]", "microsoft"),
    (554, "", "554 delivery error: dd Not a valid recipient - {host}", "yahoo"),
    (550, "5.1.1", "550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table", "other"),
    (552, "5.2.2", "552-5.2.2 The recipient's inbox is out of storage space and inactive. {id} - gsmtp", "gmail"),
    (
        421,
        "4.7.0",
        "421 4.7.0 [TSS04] Messages from {ip} temporarily deferred due to unexpected volume or user complaints - "
        "4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
        "yahoo",
    ),
    (
        550,
        "5.7.1",
        "550 5.7.1 Unfortunately, messages from [{ip}] weren't sent. Please contact your Internet service "
        "provider since part of their network is on our block list (S3140). [{host} {time} {id}]",
        "microsoft",
    ),
    (550, "5.4.1", "550 5.4.1 Recipient address rejected: Access denied. [{host} {time} {id}]", "microsoft_365"),
    (
        550,
        "5.1.10",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {address} not found by SMTP address lookup",
        "",
    ),
    (550, "5.7.26", "550-5.7.26 Unauthenticated email is not accepted due to domain's DMARC policy. {id}", "gmail"),
    (452, "4.2.2", "452 4.2.2 <{address}> Mailbox full", "comcast"),
    (
        0,
        "5.0.0",
        "host mx.harbour.example[{ip}] said: 550 No such user: {address} (in reply to RCPT TO command)",
        "other",
    ),
)
TEXTS = 4_000


def bounces(count: int, seed: int) -> list[MailEvent]:
    """Bounces of the wordings, each with details of its own."""
    chance = random.Random(seed)
    weights = [1 / rank for rank in range(1, len(WORDINGS) + 1)]
    found = []
    for code, status, wording, provider in chance.choices(WORDINGS, weights, k=count):
        text = wording.format(
            id=f"{chance.getrandbits(60):x}si{chance.getrandbits(24)}oif.{chance.randrange(400)}",
            host=f"AM{chance.getrandbits(24)}FT{chance.randrange(999)}.mail.protection.outlook.com",
            time=f"2025-12-01T08:14:{chance.randrange(60):02}.{chance.randrange(1000):03}Z",
            ip=f"192.0.2.{chance.randrange(256)}",
            address=f"u{chance.getrandbits(40):x}@d{chance.getrandbits(20):x}.example",
        )
        event = MailEvent(id="e", type="bounced", time=0, customer="c", provider=provider, diagnostic=text)
        found.append(msgspec.structs.replace(event, smtp_code=code, enhanced_status=status))
    return found


def per_second(work: Callable[[MailEvent], object], events: Sequence[MailEvent]) -> float:
    """Events a processor second."""
    began = time.process_time()
    for event in events:
        work(event)
    return len(events) / (time.process_time() - began)


def measured(count: int) -> Iterator[Figure]:
    """The three rates."""
    rules: BounceClassifier = load_bounce_classifier()

    def without_cache(event: MailEvent) -> object:
        return rules.judge(event.smtp_code, event.enhanced_status, mask(event.diagnostic), event.provider)

    fresh = bounces(count, 1)
    uncached = per_second(without_cache, fresh[: count // 10])
    for event in bounces(count // 10, 2):
        rules(event)
    masked = per_second(rules, fresh)
    repeated = per_second(rules, (fresh[:TEXTS] * (count // TEXTS + 1))[:count])
    for name, rate, note in (
        ("rules alone", uncached, "every bounce asked of every rule"),
        ("masked wordings remembered", masked, "no text comes twice"),
        ("texts remembered", repeated, f"{min(count, TEXTS):,} texts"),
    ):
        yield Figure(
            name=name, value=rate, unit="bounces/s", note=f"{note}; {rate / uncached:.1f} times the rules alone"
        )


def main(arguments: list[str]) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description="How fast bounces are classified.")
    parser.add_argument("--bounces", type=int, default=100_000, help="how many bounces")
    chosen = parser.parse_args(arguments)
    print(f"{chosen.bounces:,} bounces, {cores()}, one core, CPU time")
    figures = list(measured(chosen.bounces))
    for each in figures:
        print(f"{each.name:28} {each.value:>12,.0f} {each.unit}  {each.note}")
    results.save("classify", shlex.join(["python", "-m", "benchmarks.classify", *arguments]), figures=figures)


if __name__ == "__main__":
    main(sys.argv[1:])
