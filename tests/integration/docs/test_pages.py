"""Every command of the README and of docs/ is run as a reader would run it, and prints what the page shows.

In one new folder, in the order of the README and then of the index, against one `repmon up` of its own. What is started
and goes on (`up`, `collect`) is ended at the end. Where a page shows what comes by itself after a while, it is asked
again until it is there.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jobs.embedded.reach import reached
from schemas.settings import Embedded, Settings
from schemas.topics import MAIL_EVENTS
from streams.io.broker import Publisher
from tests.support.pages import Command, Ids, commands
from tests.support.root import ROOT

DEADLINE_S = 90.0
#: Before a command is run again: each run is a process, which takes a quarter of a second of a core.
AGAIN_S = 1.0
#: One command, on a busy machine.
COMMAND_S = 120.0
INDEX = re.findall(r"^- \[[^\]]+\]\((?!\.\.)([\w/-]+\.md)\)", (ROOT / "docs" / "README.md").read_text(), re.MULTILINE)
PAGES = ["README.md", *(f"docs/{name}" for name in INDEX)]
TUTORIAL = "tutorial.md"
#: What is not run here, and why.
NOT_RUN = {
    r"repmon incidents (show|dismiss) ": "an id of an incident, which the demonstration log has none of",
    r"repmon incidents declare gmail ": "a time that has passed out of what may be declared",
    r"make demo\b": "tests/integration/api/stack/test_demo.py runs the demo",
    r"\. \.venv/bin/activate": "the environment of the tests is in use",
    r"repmon up --kafka": "needs a broker and a server of the reader's own",
    r"docker buildx|kubectl |openssl rand": "needs Docker or a cluster; tests/unit/deploy renders the manifests",
    r"pip install 'reputation-monitor|REPMON_TRACE__ENDPOINT=": "needs the reader's own collector of traces",
    r"docker compose": "needs Docker; tests/unit/deploy holds its files against the project",
    r"repmon (zones test|scan-blocklists)\b": "asks blocklists through the reader's own resolvers",
    r"repmon suspend-hook\b": "runs until it is stopped, asks targets of the reader's own, and ids are of suspensions",
    r"repmon notify\b": "tells targets of the reader's own",
    r"curl .*/console/embed": "who may frame a page is set before `up` starts; test_mine.py asks it",
    r"repmon poll\b": "asks mailbox providers with the reader's own credentials, or shows what they said",
}
#: What runs until it is asked to stop.
GOES_ON = r"repmon (up|collect)\b"
#: What changes nothing, so that it may be asked again.
ASKS = (
    r"curl|repmon (top|explain|audit|listings|zones list|policy try|(override|customers|dead-letters) list"
    r"|alerts( --.*| text .*)?$)"
)
#: The reader's folder, as pages call it.
HOME = "/home/ida/repmon"
#: The ports that pages speak of, by the variable that says otherwise.
PORTS = {
    "9092": "REPMON_EMBEDDED__BROKER_PORT",
    "8123": "REPMON_EMBEDDED__STORE_PORT",
    "8080": "REPMON_API__PORT",
    "8090": "REPMON_COLLECT__PORT",
}


@dataclass
class Reader:
    """Somebody at a terminal in a folder."""

    folder: Path
    ports: dict[str, str]
    stack: ExitStack
    ids: Ids = field(default_factory=Ids)
    variables: dict[str, str] = field(default_factory=dict)
    #: What was typed and printed by commands that change something or go on. The tutorial tells again what the README
    #: has done: nobody starts twice what runs, or sends a log twice.
    printed: dict[str, str] = field(default_factory=dict)

    def follow(self, command: Command) -> None:
        """Run it, and hold what it prints against the page."""
        assignment = re.fullmatch(r"([A-Z]+)=\$\((.*)\)", command.text)
        text = self.ids.in_command(assignment[2] if assignment else command.text)
        for shown, actual in self.ports.items():
            text = text.replace(f"127.0.0.1:{shown}", f"127.0.0.1:{actual}")
        if text in self.printed and command.page == TUTORIAL:
            assert self.ids.matches(command.shown, self.printed[text]), self._said(command, 0, self.printed[text])
            return
        if re.match(GOES_ON, text):
            self.printed[text] = self._start(command, text)
            return
        until = time.monotonic() + (DEADLINE_S if re.match(ASKS, text) else 0)
        while True:
            code, printed = self._run(text)
            good = code == command.exit_code and (not command.shown or self.ids.matches(command.shown, printed))
            if good or time.monotonic() > until:
                break
            time.sleep(AGAIN_S)
        assert good, self._said(command, code, printed)
        if assignment:
            self.variables[assignment[1]] = printed.strip()
        elif not re.match(ASKS, text):
            self.printed[text] = printed

    @property
    def environment(self) -> dict[str, str]:
        """With `repmon` in the path, ports of its own, and nothing of other settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REPMON_", "PYTHON"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        set_ = {variable: self.ports[port] for port, variable in PORTS.items()}
        return {**kept, **set_, **self.variables, "PATH": path, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}

    def _run(self, text: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", text], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=COMMAND_S, check=False,
        )  # fmt: skip
        return done.returncode, self._as_shown(done.stdout)

    def _start(self, command: Command, text: str) -> str:
        log = self.folder.parent / f"{command.page}-{command.line}.log"
        output = self.stack.enter_context(log.open("w"))
        words = text.split("#", maxsplit=1)[0].split()
        started = subprocess.Popen(words, cwd=self.folder, env=self.environment, stdout=output, stderr=output)
        process = self.stack.enter_context(started)
        self.stack.callback(process.send_signal, signal.SIGINT)
        until = time.monotonic() + DEADLINE_S
        while not self.ids.matches(command.shown, printed := self._as_shown(log.read_text())):
            assert process.poll() is None and time.monotonic() < until, self._said(command, process.poll(), printed)
            time.sleep(0.1)
        return printed

    def _as_shown(self, printed: str) -> str:
        for shown, actual in self.ports.items():
            printed = re.sub(rf"\b{actual}\b", shown, printed)
        printed = printed.replace(str(self.folder), HOME)
        return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())

    def _said(self, command: Command, code: int | None, printed: str) -> str:
        where = f"{command.page}:{command.line}: $ {command.text}"
        return f"{where}\n--- shown:\n{command.shown}--- printed, and ended with {code}:\n{printed}"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader").resolve() / "checkout"
    folder.mkdir()
    for name in ("docs", "deploy", "schemas"):
        (folder / name).symlink_to(ROOT / name)
    with ExitStack() as stack:
        with ExitStack() as held:
            sockets = [held.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in PORTS]
            ports = {shown: str(each.getsockname()[1]) for shown, each in zip(PORTS, sockets, strict=True)}
        yield Reader(folder, ports, stack)
    shutil.rmtree(folder)


def misspelt_event(reader: Reader) -> None:
    """What a producer sends whose field `customer` has another name."""
    settings = reached(Settings(embedded=Embedded(data=str(reader.folder / "data"))))
    publisher = Publisher(settings.kafka)
    event = f'{{"id":"7","type":"delivered","time":{time.time_ns() // 1_000_000},"costumer":"brightleaf"}}'
    publisher.publish(MAIL_EVENTS, b"brightleaf", event.encode())
    publisher.flush()


def webhook_sources(reader: Reader) -> None:
    """The page's first settings, in the reader's file."""
    settings = re.search(r"^```toml\n(.*?)^```$", (ROOT / "docs/webhooks.md").read_text(), re.MULTILINE | re.DOTALL)
    assert settings
    (reader.folder / "repmon.toml").write_text(settings[1])


#: What happens in the world before a page.
BEFORE: dict[str, Callable[[Reader], None]] = {
    "docs/dead-letters.md": misspelt_event,
    "docs/webhooks.md": webhook_sources,
}


@pytest.mark.parametrize("page", PAGES)
def test_commands_do_what_the_page_shows(reader: Reader, page: str) -> None:
    if page in BEFORE:
        BEFORE[page](reader)
    for command in commands(ROOT / page):
        if not any(re.match(pattern, command.text) for pattern in NOT_RUN):
            reader.follow(command)


def test_what_is_not_run_is_in_the_pages() -> None:
    texts = [command.text for page in PAGES for command in commands(ROOT / page)]
    assert texts
    assert [pattern for pattern in NOT_RUN if not any(re.match(pattern, text) for text in texts)] == []


def test_every_page_with_commands_is_read() -> None:
    with_commands = {str(each.relative_to(ROOT)) for each in (ROOT / "docs").glob("**/*.md") if commands(each)}
    assert with_commands - set(PAGES) == set()
