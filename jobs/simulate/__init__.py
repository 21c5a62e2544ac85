"""A made-up fleet of customers and its mail, with the truth of what was sent: for the demo and for tests."""

from jobs.simulate.ledger import Ledger
from jobs.simulate.profiles import SimulationError
from jobs.simulate.run import Publish, SimulationOptions, open_ledger, run
from jobs.simulate.truth import CustomerTruth, Truth, read

__all__ = [
    "CustomerTruth",
    "Ledger",
    "Publish",
    "SimulationError",
    "SimulationOptions",
    "Truth",
    "open_ledger",
    "read",
    "run",
]
