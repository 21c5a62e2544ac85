"""`repmon config ...`: the settings."""

import msgspec

from api.cli.lazy import command
from api.cli.options import as_json, with_settings
from api.cli.printing import print_json, print_json_text, print_line
from schemas.secrets import shown
from schemas.settings import Settings

#: Which policy is in force, where the settings name no file and where they do.
POLICY_ORDER = (
    "# no file: the policy applied last is in force, else the built-in one; `repmon policy show` says which",
    "# this file is in force, whatever is applied",
)


@command("repmon config show", "REPMON_KAFKA__BOOTSTRAP=broker:9092 repmon config show --json", name="show")
@as_json
@with_settings
def show(settings: Settings, as_json: bool) -> None:
    """Print the settings in force, secrets hidden.

    They come from the file, then from the environment: REPMON_KAFKA__BOOTSTRAP sets bootstrap in [kafka].
    """
    if as_json:
        print_json(shown(settings))
        return
    for section, fields in shown(settings).items():
        print_line(f"[{section}]")
        if section == "policy":
            print_line(POLICY_ORDER[bool(settings.policy.file)])
        for name, value in fields.items():
            print_json_text(f"{name} = {msgspec.json.encode(value).decode()}")
        print_line("")
