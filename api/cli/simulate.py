"""`repmon simulate`: the traffic of a simulated fleet."""

import time
from pathlib import Path

import click

from api.cli.lazy import command
from api.cli.options import new_file, with_reached
from api.cli.printing import print_line
from api.cli.publishing import open_publisher
from api.cli.stopping import until_signalled
from jobs.simulate import SimulationOptions, run
from schemas.settings import Settings
from schemas.times import utc_now_ms

#: In hours.
ONE_DAY = 24.0


@command("repmon simulate --customers 50 --rate 0", "repmon simulate --live -1 --live-rate 200")
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    callback=new_file,
    default="truth.json",
    show_default=True,
    help="Where the ground truth is written.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed sends the same day.")
@click.option("--customers", type=int, default=200, show_default=True, help="How many customers.")
@click.option("--messages", type=int, default=500_000, show_default=True, help="Messages in the day.")
@click.option("--hours", type=float, default=ONE_DAY, show_default=True, help="How long before now the day begins.")
@click.option(
    "--rate", type=int, default=20_000, show_default=True, help="Events per second; 0 is as fast as possible."
)
@click.option("--live", type=float, default=0.0, help="Then continue in real time for so many seconds; -1 is for ever.")
@click.option("--live-rate", type=int, default=500, show_default=True, help="Events per second while it continues.")
@with_reached
def simulate(
    settings: Settings,
    truth: Path,
    seed: int,
    customers: int,
    messages: int,
    hours: float,
    rate: int,
    live: float,
    live_rate: int,
) -> None:
    """Send the traffic of a simulated fleet to the broker."""
    day = SimulationOptions(
        seed=seed,
        customers=customers,
        messages=messages,
        rate=rate,
        live_rate=live_rate,
        span_hours=hours,
        live_seconds=live,
    )
    publisher, stop = open_publisher(settings), until_signalled()
    began = time.monotonic()
    sent = run(day, publisher.publish, now_ms=utc_now_ms, stop=stop, sleep=time.sleep)
    publisher.flush()
    sent.write(truth)
    print_line(f"sent {sent.events:,} events in {time.monotonic() - began:.1f} s; the truth is in {truth}")
