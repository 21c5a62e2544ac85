"""Readers of events as others have them: CloudEvents' SDKs for JavaScript and Go, each brought by its own tool.

What is brought lies in `target/event-readers`, under a name made of the files that say what is wanted, so it is brought
once. Both read lines of JSON, a message of Kafka each, and answer with a line each.
"""

import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.root import ROOT

HERE = Path(__file__).parent
CACHE = ROOT / "target" / "event-readers"
BRING_S = 280.0
READ_S = 60.0
#: The SDK's binding for Kafka names the types of a Kafka client and of a logger. Those that stand here under their
#: names have the types alone: with the true ones a first compilation takes 40 s of processor time, not 12.
GO_FILES = [
    "go.mod",
    "go.sum",
    "main.go",
    *(f"{name}/{file}" for name in ("sarama", "zap") for file in ("go.mod", f"{name}.go")),
]


class ReaderUnavailableError(Exception):
    """A reader cannot be had here; the message says why."""


class KafkaMessage(NamedTuple):
    """A message as it lies in a topic."""

    headers: Mapping[str, str]
    key: str
    value: bytes


def node_modules() -> Path:
    """The folder with the packages for Node.

    Raises:
        ReaderUnavailableError: Node or npm is missing, or npm could not bring them.
    """
    npm = _tool("npm", "npm, which brings CloudEvents' SDK for JavaScript, is not installed (Debian: npm)")
    _tool("node", "Node is not installed (Debian: nodejs)")

    def bring(folder: Path) -> None:
        quietly = ["--no-audit", "--no-fund", "--loglevel=error"]
        _run([npm, "ci", "--ignore-scripts", "--fetch-retries=0", *quietly], folder)

    return _brought(["package.json", "package-lock.json", "read.cjs"], bring)


def read_by_node(messages: Iterable[KafkaMessage]) -> list[dict[str, Any]]:
    """What the SDK for JavaScript reads of each.

    Raises:
        ReaderUnavailableError: as `node_modules`.
    """
    return _answers(["node", str(node_modules() / "read.cjs")], messages)


def read_by_go(messages: Iterable[KafkaMessage]) -> list[dict[str, Any]]:
    """What the SDK for Go reads of each.

    Raises:
        ReaderUnavailableError: Go is missing, or could not bring or compile it.
    """
    go = _tool("go", "Go is not installed (Debian: golang-go)")

    def bring(folder: Path) -> None:
        # What is run once is not worth being made fast.
        _run([go, "build", "-gcflags=all=-N -l", "-ldflags=-s -w", "-o", "read", "."], folder)

    return _answers([str(_brought(GO_FILES, bring) / "read")], messages)


def _tool(name: str, missing: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ReaderUnavailableError(missing)
    return found


def _brought(files: list[str], bring: Callable[[Path], None]) -> Path:
    """The folder with these files and what `bring` makes of them: all of it or nothing, by one process at a time."""
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in files)).hexdigest()[:12]
    folder = CACHE / f"{files[0]}-{wanted}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            draft = folder.with_suffix(".part")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            for name in files:
                (draft / name).parent.mkdir(exist_ok=True)
                shutil.copy(HERE / name, draft / name)
            bring(draft)
            draft.rename(folder)
    return folder


def _run(command: list[str], folder: Path) -> None:
    # Go must not look for another Go, nor for a C compiler.
    environ = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=BRING_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ReaderUnavailableError(f"{command[0]} did not bring the reader within {BRING_S:g} s") from error
    if done.returncode:
        raise ReaderUnavailableError(f"{command[0]} could not bring the reader: {done.stderr.strip()[-500:]}")


def _answers(command: list[str], messages: Iterable[KafkaMessage]) -> list[dict[str, Any]]:
    lines = [
        json.dumps({"headers": each.headers, "key": each.key, "value": base64.b64encode(each.value).decode()})
        for each in messages
    ]
    done = subprocess.run(
        command, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=READ_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
