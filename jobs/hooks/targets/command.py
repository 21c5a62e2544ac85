"""A command that does it: program and arguments of the settings, no shell. Whom and why it is told on standard input as
JSON, and in variables of its environment; nothing from outside is ever an argument."""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress

from jobs.hooks.targets.base import Done, Order, TargetError, one_line, values_of
from jobs.hooks.targets.http import as_json
from schemas.hook import HookAction

#: Before the name of each variable.
PREFIX = "HOOK_"
SECRETS = ("REPMON_", "AWS_SECRET", "AWS_SESSION")


class CommandTarget:
    """Runs a program; exit code 0 is done."""

    forgets = False

    def __init__(self, name: str, action: HookAction) -> None:
        self._name, self._action = name, action

    def shown(self, order: Order) -> str:
        """The command, and what it reads."""
        return one_line(f"{' '.join(self._action.command)} < {as_json(order)}")

    def apply(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Run it; `HOOK_OPERATION` is `apply`."""
        return self._run(order)

    def lift(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Run it; `HOOK_OPERATION` is `lift`."""
        return self._run(order)

    def renew(self, order: Order, ref: Mapping[str, str]) -> Done | None:
        """It is trusted to have done it for good."""
        return None

    def clear(self, tags: Iterable[str]) -> list[str]:
        """Nobody can tell what it did."""
        return []

    def _run(self, order: Order) -> Done:
        told = {f"{PREFIX}{name.upper()}": value.replace("\0", " ") for name, value in values_of(order).items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SECRETS)}
        try:
            with subprocess.Popen(  # noqa: S603 - the operator's own program, without a shell
                self._action.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**kept, **told},
                start_new_session=True,
            ) as running:
                try:
                    out, _ = running.communicate(as_json(order).encode(), timeout=self._action.timeout_s)
                except subprocess.TimeoutExpired as error:
                    with suppress(ProcessLookupError):
                        os.killpg(running.pid, signal.SIGKILL)
                    raise TargetError(f"{self._name}: not done within {self._action.timeout_s:g} s, killed") from error
        except OSError as error:
            raise TargetError(f"{self._name}: {self._action.command[0]}: {error.strerror or error}") from error
        said = one_line(out.decode("utf-8", "replace"))
        if running.returncode:
            raise TargetError(f"{self._name}: exit code {running.returncode}" + (f": {said}" if said else ""))
        return Done(said=said or "done")
