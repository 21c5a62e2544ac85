"""A made-up fleet of customers and its mail, with the truth of what was sent: for the demo and for tests.

Comes in: a seed, how much to send, and the profiles in `profiles.toml`. Goes out: events in the canonical format, and a
ledger of what was really sent, from which the truth about each customer is found. It imports `schemas` alone, so that
it shares no mistake with what it tests. Imported by the stack, the command line and tests.
"""

from jobs.simulate.ledger import Ledger
from jobs.simulate.profiles import SimulationError
from jobs.simulate.run import Publish, SimulationOptions, open_ledger, run
from jobs.simulate.trouble import TROUBLES, Trouble
from jobs.simulate.truth import CustomerTruth, Truth, read_truth

__all__ = [
    "TROUBLES",
    "CustomerTruth",
    "Ledger",
    "Publish",
    "SimulationError",
    "SimulationOptions",
    "Trouble",
    "Truth",
    "open_ledger",
    "read_truth",
    "run",
]
