"""`repmon config ...`: the settings."""

from pathlib import Path

import click
import msgspec

from api.cli.lazy import command
from api.cli.options import as_json, with_settings
from api.cli.printing import print_json, print_json_text, print_line
from schemas.secrets import shown
from schemas.settings import Settings
from schemas.settings_file import Origins, load_settings

#: Which policy is in force, where the settings name no file and where they do.
POLICY_ORDER = (
    "# no file: the policy applied last is in force, else the built-in one; `repmon policy show` says which",
    "# this file is in force, whatever is applied",
)


#: Of what neither a file nor the environment sets.
DEFAULT = "default"


@command(
    "repmon config show",
    "REPMON_KAFKA__BOOTSTRAP=broker:9092 repmon config show --json",
    "repmon config show --json --sources",
    name="show",
)
@as_json
@click.option("--sources", is_flag=True, help="In JSON too: each setting as its value and where that comes from.")
@with_settings
def show(settings: Settings, as_json: bool, sources: bool) -> None:
    """Print the settings in force, and where they are from.

    Secrets are hidden. They come from the file, then from the environment: REPMON_KAFKA__BOOTSTRAP sets bootstrap
    in [kafka]. With _FILE at its end a variable names a file that holds the value.
    """
    origins = _origins()
    if as_json and not sources:
        print_json(shown(settings))
        return
    if as_json:
        print_json(
            {
                section: {
                    name: {"value": value, "from": origins.get((section, name), DEFAULT)}
                    for name, value in fields.items()
                }
                for section, fields in shown(settings).items()
            }
        )
        return
    for section, fields in shown(settings).items():
        print_line(f"[{section}]")
        if section == "policy":
            print_line(POLICY_ORDER[bool(settings.policy.file)])
        for name, value in fields.items():
            origin = msgspec.json.encode(origins.get((section, name), DEFAULT)).decode()[1:-1]
            print_json_text(f"{name} = {msgspec.json.encode(value).decode()}  # {origin}")
        print_line("")


def _origins() -> Origins:
    """Where the settings of this call come from: the same are read again, for that alone."""
    given = click.get_current_context().find_root().params
    origins: Origins = {}
    load_settings(Path(given["config"]) if given.get("config") else None, origins=origins)
    if given.get("data"):
        origins["embedded", "data"] = "option --data"
    return origins
