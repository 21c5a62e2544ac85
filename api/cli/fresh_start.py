"""The option `--fresh-start`, and what is said of it."""

import click

from schemas.wording import rfc3339
from streams.subjects.fresh_starts import first_minute

fresh_start = click.option("--fresh-start", is_flag=True, help="Judge the customer only by what it sends from now on.")


def fresh_start_line(customer: str, now_ms: int) -> str:
    """What was decided at `now_ms` (epoch ms)."""
    return f"fresh start: {customer} is judged by what it sends from {rfc3339(first_minute(now_ms) * 1000)} on"
