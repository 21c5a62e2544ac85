"""Where the command `repmon` begins."""

import gc


def main() -> None:
    """The entry point. While modules are imported nothing becomes garbage, and looking for it takes a twentieth of the
    time; the collector runs again once the command is there (`api.cli.lazy`)."""
    gc.disable()
    from api.cli.main import main as run

    run()
