"""Where the project stands that is tested."""

from pathlib import Path

#: The folder of the checkout.
ROOT = Path(__file__).parents[2]
