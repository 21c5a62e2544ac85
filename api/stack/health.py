"""Whether the stage that runs on this machine is well: what it answers at `/healthz`."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

import msgspec

from api.http.metrics import HealthBody
from schemas.settings import Settings
from streams.io.whole_time import within

#: Where one listens on every address, it is asked at this one.
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not bound
#: Bytes of an answer that are read, and characters that are shown of one that is not understood.
MOST_READ, MOST_SHOWN = 20_000, 200


@dataclass(frozen=True, slots=True)
class Health:
    """What was found: of the stage that answered, or that none did."""

    well: bool
    said: str


def addresses(settings: Settings) -> Iterator[tuple[str, int]]:
    """Host and port of each interface that a stage may have, by the settings."""
    for each in (settings.metrics, settings.api, settings.collect):
        if each.port:
            yield LOOPBACK.get(each.host, each.host), each.port


def ask(settings: Settings, timeout_s: float = 4.0) -> Health:
    """Ask each interface in turn; the first that answers is the stage that runs here."""
    asked = []
    for host, port in addresses(settings):
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            status, body = _get(host, port, timeout_s)
        except TimeoutError:
            return Health(False, f"http://{where}/healthz does not answer within {timeout_s:g} s")
        except (OSError, HTTPException):
            asked.append(where)
            continue
        said = f"http://{where}/healthz answers {status}"
        return Health(status == 200, said if status == 200 else f"{said}: {failing(body)}")
    where = f" at {' or '.join(asked)}" if asked else ": metrics.port, api.port and collect.port are all 0"
    return Health(False, f"no stage answers{where}")


def failing(body: str) -> str:
    """What a stage says of the parts that fail, in one line; an answer that is another one as it is."""
    try:
        parts = msgspec.json.decode(body, type=HealthBody).failing
    except msgspec.DecodeError:
        return " ".join(body[:MOST_SHOWN].split())
    return "; ".join(f"{each.part}: {each.what}" + (f" ({each.said})" if each.said else "") for each in parts)


def _get(host: str, port: int, timeout_s: float) -> tuple[int, str]:
    with within(timeout_s) as whole, closing(HTTPConnection(host, port, timeout=timeout_s)) as connection:
        whole.watch(connection)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status, answer.read(MOST_READ).decode("utf-8", "replace")
