"""What the console does with the settings of an installation: its status, and dead letters sent again."""

from collections.abc import Callable

from api.console.operations import Operations
from api.stack.adapting import adapt_context
from api.stack.status import read_status
from api.text.status import StatusSeen
from jobs.resend.replay import Reader, Replayer
from schemas.settings import Settings
from schemas.times import utc_now_ms
from streams.io.broker import Publisher
from streams.io.store import Store

#: As large as a dead letter can be.
MAX_MESSAGE_BYTES = 16_000_000
#: How long messages are watched to say how many come in a second, in s.
WATCH_S = 1.0


def operations(settings: Settings, running: Callable[[], str]) -> Operations:
    """By these settings; `running` finds the address of a `repmon up` that is a stage of it, empty where none is."""

    def status() -> StatusSeen:
        return read_status(settings, running(), watch_s=WATCH_S)

    def replayer(store: Store, by: str, *, mended: bytes | None = None, again: bool = False) -> Replayer:
        publisher = Publisher(settings.kafka, **{"message.max.bytes": MAX_MESSAGE_BYTES})
        reader = Reader(settings.ingest, adapt_context(settings))
        return Replayer(store, publisher, reader, by, utc_now_ms, again=again, mended=mended)

    return Operations(status, replayer)
