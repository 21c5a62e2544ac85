"""How many of a folder of bounce mails are read, and where the reading differs from a peer's.

    python -m tests.conformance.bounce_mails FOLDER [VERDICTS]

FOLDER has one mail a file (`*.eml`), such as `maildir/bsd` of https://github.com/sisimai/set-of-emails . VERDICTS has
what a peer says of them: one JSON object a line with `file` and `expected`, a list of objects with `recipient`, `alias`
(an address by which it goes too), `action`, `reason` and `hardbounce` (0 or 1), as Sisimai names them.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.event import MAX_EVENT_BYTES, MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.canonical import hash_recipient
from streams.bounces.classify import BounceClassifier, load_bounce_classifier

KEY = b"a key"
CONTEXT = Context(KEY, load_providers(), {"dsn": FormatOptions(default_customer="house")})
#: Mails of other formats in such folders, by the begin of their names.
OTHERS = ("arf-",)

#: Where we mean to differ: what Sisimai calls soft in general, and is hard here by what the words say.
MEANT: Mapping[str, str] = {
    "filtered": "the words say that nobody is there (`User unknown`); they go by the code, or the command",
    "suspend": "a mailbox that is disabled or locked is `inactive_mailbox`, which is hard",
}
#: Why we call hard what Sisimai does not, or the other way round, in single mails, by what it says.
EXPLAINED: Mapping[str, str] = {
    **MEANT,
    "rejected": "the words name the recipient (`not a registered gateway user`), or are Exchange Online's for one",
    "userunknown": "a temporary reply (450), given up after retries: soft by RFC 3463, whatever the words",
    "mailboxfull": "their text is of another recipient of the mail",
    "mailererror": "the words say `No such user`",
    "onhold": "a 550 that says `Recipient address rejected`, and a status that says nothing",
    "notaccept": "a warning of OpenSMTPD, which goes on trying",
    "networkerror": "Postfix before 3.0 reported a null MX in these words (RFC 7505)",
}


@dataclass(slots=True)
class Found:
    """Names of files by what came of them, and what differs from a peer: lines for a person, and counts."""

    read: list[str] = field(default_factory=list)
    nothing: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    compared: int = 0
    others: list[str] = field(default_factory=list)
    differing: Counter[str] = field(default_factory=Counter)

    @property
    def as_expected(self) -> int:
        """Of the recipients compared, those that differ in nothing, or in what is meant."""
        return self.compared - sum(number for reason, number in self.differing.items() if reason not in MEANT)

    @property
    def share(self) -> float:
        """Of the mails, those that were read (ratio)."""
        return len(self.read) / max(1, len(self.read) + len(self.nothing) + len(self.refused))


def look(folder: Path, verdicts: Mapping[str, list[dict[str, Any]]]) -> Found:
    """Read all mails of the folder."""
    found, classify, adapt = Found(), load_bounce_classifier(), adapter("dsn")
    for path in sorted(folder.glob("*.eml")):
        if path.name.startswith(OTHERS):
            continue
        try:
            events = adapt(path.read_bytes()[:MAX_EVENT_BYTES], CONTEXT)
        except AdaptError as error:
            found.refused[path.name] = str(error)
            continue
        (found.read if events else found.nothing).append(path.name)
        theirs = verdicts.get(path.name, [])
        if theirs and events:
            for line in _differing(events, theirs, found, classify):
                found.others.append(f"{path.name}: {line}")
    return found


def _differing(
    events: list[MailEvent], theirs: list[dict[str, Any]], found: Found, classify: BounceClassifier
) -> Iterator[str]:
    pairs = ((each.get(name), each) for name in ("alias", "recipient") for each in theirs)
    named = {hash_recipient(address, KEY): each for address, each in pairs if address}
    for event in events:
        verdict = named.get(event.recipient_hash)
        if verdict is None:
            yield f"another recipient than {', '.join(each['recipient'] for each in theirs)}"
            continue
        found.compared += 1
        hard = event.type == "bounced" and classify(event).kind == "hard"
        if hard != bool(verdict["hardbounce"]):
            found.differing[str(verdict["reason"])] += 1


def verdicts_in(file: Path) -> dict[str, list[dict[str, Any]]]:
    """A peer's verdicts, by the name of the file."""
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip())
    return {Path(each["file"]).name: each["expected"] for each in lines}


def main(arguments: list[str]) -> None:
    """Print what came of the mails, as text for a person."""
    found = look(Path(arguments[0]), verdicts_in(Path(arguments[1])) if len(arguments) > 1 else {})
    mails = len(found.read) + len(found.nothing) + len(found.refused)
    print(f"{len(found.read)} of {mails} mails are read ({found.share:.1%})")
    for name in found.nothing:
        print(f"no notification: {name}")
    for name, why in found.refused.items():
        print(f"refused: {name}: {why}")
    if found.compared:
        same = found.compared - found.differing.total()
        print(f"{same} of {found.compared} recipients are hard or not as the peer says, and {found.as_expected} with")
        print(f"{' and '.join(MEANT)} taken as they are meant here; the others by what it says:")
        for reason, number in found.differing.most_common():
            print(f"  {number} {reason}: {EXPLAINED.get(reason, 'not explained')}")
        for line in found.others:
            print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
