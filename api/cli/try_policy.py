"""`repmon policy try`: what another policy would have done with what is stored."""

import click
import msgspec

from api.cli.durations import seconds
from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.policy_check import checked, policy_file
from api.cli.printing import print_json, print_line
from api.stack.policy import policy_in_force
from api.text.try_policy import lines
from jobs.operator.try_policy import try_policy
from schemas import providers
from schemas.levels import LEVELS, Level
from schemas.policy_metric import LONGEST_MS
from schemas.settings import Settings, SettingsError
from schemas.times import DAY_MS, HOUR_MS, utc_now_ms
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans
from streams.io.store import open_store


@command("repmon policy try stricter.toml --since 30d --level excessive", name="try")
@policy_file
@click.option("--since", default="30d", show_default=True, help="How far back, for example 30d.")
@click.option("--level", default="watch", show_default=True, help="Flag customers at this level or worse.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; times are epoch ms.")
@with_reached
def try_file(settings: Settings, file: str, since: str, level: str, as_json: bool) -> None:
    """Show whom a policy would have flagged or freed.

    Compared with the policy in force, and when. Nothing is changed. Both policies go through the stored history in
    steps of an hour, as the monitor would have judged at each full hour. Overrides, fresh starts and incidents hold in
    both.
    """
    if level not in LEVELS[1:]:
        raise SettingsError(f"--level: {level!r} is not one of {', '.join(LEVELS[1:])}")
    now_ms = utc_now_ms()
    ago_ms = round((seconds(since, "--since") or 0) * 1000)
    if not HOUR_MS <= ago_ms < LONGEST_MS:
        raise SettingsError(
            f"--since: {since!r} is not between 1h and the {LONGEST_MS // DAY_MS}d that counts are kept"
        )
    tried, _ = checked(file)
    store = open_store(settings.clickhouse)
    loop = providers.load_providers().with_feedback_loop()
    in_force = policy_in_force(settings, store).policy
    its_plans = plans(store)
    tried, in_force = for_plans(tried, its_plans), for_plans(in_force, its_plans)
    found = try_policy(store, tried, in_force, loop, now_ms - ago_ms, now_ms, msgspec.convert(level, Level))
    store.close()
    if as_json:
        print_json(found)
        return
    for line in lines(found):
        print_line(line)
