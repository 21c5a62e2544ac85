"""ClickHouse over TLS: whom we trust, what we show, and what is said where that fails."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.embedded.store_server import StoreServer
from schemas.settings import ClickHouse, SettingsError
from streams.io.store import StoreError, open_store
from tests.support.certificates import Authority
from tests.support.tls_proxy import tls_proxy

PASSWORD = "right-passw0rd"


class Doors:
    """Servers of one store, by what they show: `good`, `expired`, of an`other` host; `mutual` wants a certificate."""

    def __init__(self, folder: Path, port: int, stack: ExitStack) -> None:
        authority = Authority(folder)
        self.ca = str(authority.ca)
        self.client, self.client_key = map(str, authority.issue("client"))
        self.locked, self.locked_key = map(str, authority.issue("locked", password="hush-Passw0rd"))
        self.other_ca = str(Authority(folder / "stranger", "stranger").ca)
        shown = {
            "good": authority.issue("server"),
            "mutual": authority.issue("server"),
            "expired": authority.issue("old", ends=timedelta(days=-1)),
            "other": authority.issue("away", hosts=("store.example",)),
        }
        self.urls = {
            name: stack.enter_context(tls_proxy(port, *files, authority.ca if name == "mutual" else None)).url
            for name, files in shown.items()
        }
        self.plain = f"http://127.0.0.1:{port}"

    def settings(self, door: str, **change: Any) -> ClickHouse:
        own = {
            "url": self.urls[door],
            "password": PASSWORD,
            "database": "default",
            "ca_file": self.ca,
            "timeout_s": 5.0,
        }
        return ClickHouse(**{**own, **change})


@pytest.fixture(scope="module")
def doors(chdb_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    server = StoreServer(str(chdb_path), 0, PASSWORD)
    server.start()
    with ExitStack() as stack:
        yield Doors(tmp_path_factory.mktemp("tls"), server.port, stack)
    server.stop()


RIGHT: dict[str, Callable[[Doors], ClickHouse]] = {
    "authority": lambda doors: doors.settings("good"),
    "name in the certificate": lambda doors: doors.settings("other", server_name="store.example"),
    "nothing checked": lambda doors: doors.settings("expired", ca_file="", verify=False),
    "certificate and password": lambda doors: doors.settings(
        "mutual", certificate_file=doors.client, key_file=doors.client_key
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_store_answers(doors: Doors, name: str) -> None:
    store = open_store(RIGHT[name](doors))
    assert store.rows("SELECT 1") == [(1,)]
    store.close()


REFUSED = "refuses the login of user `default`: no such user, or another password"
NOT_TRUSTED = "the server's certificate is not trusted: "
WRONG: dict[str, tuple[Callable[[Doors], ClickHouse], str]] = {
    "wrong authority": (
        lambda doors: doors.settings("good", ca_file=doors.other_ca),
        f"{NOT_TRUSTED}unable to get local issuer certificate (clickhouse.ca_file names who is trusted)",
    ),
    "system's authorities": (lambda doors: doors.settings("good", ca_file=""), NOT_TRUSTED),
    "expired certificate": (lambda doors: doors.settings("expired"), f"{NOT_TRUSTED}certificate has expired"),
    "certificate of another host": (
        lambda doors: doors.settings("other"),
        f"{NOT_TRUSTED}IP address mismatch, certificate is not valid for '127.0.0.1'",
    ),
    "another name than that in the certificate": (
        lambda doors: doors.settings("good", server_name="store.example"),
        f"{NOT_TRUSTED}hostname 'store.example' doesn't match either of '127.0.0.1', 'localhost'",
    ),
    "no client certificate": (
        lambda doors: doors.settings("mutual"),
        "the server refuses our certificate, or wants one (clickhouse.certificate_file): certificate required",
    ),
    "TLS to a port of plain text": (
        lambda doors: doors.settings("good", url=doors.plain.replace("http:", "https:")),
        "the server does not speak TLS at this port, as https in clickhouse.url says",
    ),
    "wrong password": (
        lambda doors: doors.settings("good", password="wr0ng-passw0rd"),
        REFUSED,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_line(doors: Doors, name: str) -> None:
    made, said = WRONG[name]
    settings = made(doors)
    with pytest.raises(StoreError) as caught:
        open_store(settings)
    message = str(caught.value)
    assert message.startswith(f"ClickHouse at {settings.url}: ")
    assert said in message
    assert "\n" not in message
    assert "passw0rd" not in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ca_file": "/none"}, "clickhouse.ca_file: /none: No such file or directory"),
        ({"certificate_file": "/none"}, "clickhouse.certificate_file: /none: No such file or directory"),
        ({"certificate_file": "LOCKED", "key_file": "LOCKED_KEY"}, "the key has a password that is missing or wrong"),
    ],
)
def test_file_that_cannot_be_used_is_named(doors: Doors, change: dict[str, str], said: str) -> None:
    """A key with a password is not asked for at the terminal."""
    files = {"LOCKED": doors.locked, "LOCKED_KEY": doors.locked_key}
    with pytest.raises(SettingsError) as caught:
        open_store(doors.settings("good", **{name: files.get(value, value) for name, value in change.items()}))
    assert said in str(caught.value)


def test_certificate_without_a_password_is_the_login(doors: Doors) -> None:
    """The embedded store has no such logins; that it is asked for one shows that no password was sent."""
    settings = doors.settings("mutual", certificate_file=doors.client, key_file=doors.client_key, password="")
    with pytest.raises(StoreError, match=REFUSED):
        open_store(settings)
