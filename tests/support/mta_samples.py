"""Logs of real mail servers with what is known of each recipient. They are not part of the project: without them the
tests that need them are skipped."""

import csv
from pathlib import Path
from typing import NamedTuple

from tests.support.root import ROOT

FOLDER = ROOT.parent / "shared" / "samples" / "mta"


class Recipient(NamedTuple):
    """One recipient: whose mail it was, what finally became of it, and after what."""

    customer: str
    recipient: str
    final: str
    refusals: str
    last_reply: str
    case: str


def truth(folder: Path) -> list[Recipient]:
    """The recipients of a sample."""
    text = (folder / "truth.tsv").read_text().splitlines()[1:]
    return [Recipient(*row) for row in csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)]
