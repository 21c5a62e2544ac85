"""`repmon up` as a process of its own, on any free ports."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.embedded.reach import reached
from schemas.settings import Embedded, Settings
from tests.support.waiting import wait_for

REPMON = str(Path(sys.executable).with_name("repmon"))
#: Small enough that the broker's topics are made again several times.
ROLL_BYTES = 300_000


@contextmanager
def up(
    folder: Path, data: str = "", broker_port: int = 0, **settings: str
) -> Iterator[tuple[Settings, "subprocess.Popen[bytes]"]]:
    """The command, on any free ports but for one given of the broker; `data` is how the folder is spelled to it.
    `settings` are by the ends of their names in the environment."""
    environment = {
        **os.environ,
        "REPMON_EMBEDDED__DATA": data or str(folder),
        "REPMON_EMBEDDED__BROKER_PORT": str(broker_port),
        "REPMON_EMBEDDED__STORE_PORT": "0",
        "REPMON_EMBEDDED__ROLL_BYTES": str(ROLL_BYTES),
        "REPMON_API__PORT": "0",
        **{f"REPMON_{name}": value for name, value in settings.items()},
    }
    with subprocess.Popen(
        [REPMON, "up"], env=environment, cwd=folder.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            wait_for((folder / "running.json").exists, "repmon to be up", 60)
            yield reached(Settings(embedded=Embedded(data=str(folder)))), process
        finally:
            process.kill()
