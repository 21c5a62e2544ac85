"""`repmon demo`: everything in one process, with a simulated fleet."""

from pathlib import Path

import click

from api.cli.durations import seconds
from api.cli.lazy import command, importing
from api.cli.options import duration, new_file, with_settings
from api.cli.printing import print_line
from jobs.simulate import TROUBLES, SimulationOptions
from schemas.settings import Settings


@command("repmon demo", "repmon demo --for 60s --customers 50 --seed 7")
@duration
@click.option(
    "--rate",
    type=int,
    default=20_000,
    show_default=True,
    help="Events per second while a day is played back; 0 is as fast as possible.",
)
@click.option("--customers", type=int, default=200, show_default=True, help="How many customers.")
@click.option("--messages", type=int, default=500_000, show_default=True, help="Messages in the day played back.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed plays the same day.")
@click.option(
    "--trouble/--no-trouble",
    default=True,
    show_default=True,
    help="Whether a provider fails and another refuses a pool of addresses that day, which is no customer's doing.",
)
@click.option(
    "--truth", type=click.Path(path_type=Path), callback=new_file, help="Where the simulator's ground truth is written."
)
@with_settings
def demo(
    settings: Settings,
    duration: str,
    rate: int,
    customers: int,
    messages: int,
    seed: int,
    trouble: bool,
    truth: Path | None,
) -> None:
    """Watch bad customers of a simulated fleet be found.

    Everything runs in one process, in a folder that is gone afterwards. A day is played back, then it goes on in real
    time.
    """
    print_line("repmon: starting the demo")
    with importing():  # only now: somebody waits at the terminal for the first line
        from api.stack import running
        from api.stack.demo import run_demo
        from api.text.consoles import out

    day = SimulationOptions(
        seed=seed,
        customers=customers,
        messages=messages,
        rate=rate,
        live_rate=500,
        span_hours=24.0,
        live_seconds=0,
        troubles=TROUBLES if trouble else (),
    )
    running.run(run_demo(settings, day, seconds(duration, "--for"), truth, out))
