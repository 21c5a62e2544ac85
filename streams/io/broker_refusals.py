"""Why a broker is not trusted, or refuses a login: heard from librdkafka, which says it only to whoever asks."""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError

from schemas.settings import Kafka
from streams.io.broker_security import login_refused, security_of, why_no_answer, why_no_tls

log = logging.getLogger("repmon.broker")
#: While a stage runs a refusal is logged at most this often.
TELL_S = 60.0
#: Errors of a connection that are about trust; their code is that of any lost connection.
_TLS_TEXTS = re.compile("ssl/tls alert|PLAINTEXT broker listener")
#: Around what an error says: the address before it, where it was met after it, OpenSSL's numbers in it.
_AROUND = re.compile(r"^\S+/(?:bootstrap|\d+): | \(after \d+ms in state \w+\)|error:[0-9A-F]+:SSL routines::")


class Refusals:
    """What is given to a client as its `error_cb`.

    Once the broker was reached refusals are logged: the client tries again for ever, without a word.
    """

    def __init__(self, kafka: Kafka) -> None:
        self.where = f"Kafka at {kafka.bootstrap}"
        self._kafka = kafka
        self._last: KafkaError | None = None
        self._kept = False
        self._told_s = self._heard_s = -TELL_S

    def __call__(self, error: KafkaError) -> None:
        """An error of the client, on the thread that polls it."""
        if not _refuses(error):
            return
        self._last, self._heard_s = error, time.monotonic()
        if not self._kept and time.monotonic() - self._told_s >= TELL_S:
            self._told_s = time.monotonic()
            log.warning("%s: %s; trying again", self.where, self._said(error))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within it nothing is logged, since whoever waits is told by `reason`."""
        self._last, self._kept = None, True
        try:
            yield
        finally:
            self._kept = False

    @property
    def silent(self) -> bool:
        """Whether nobody has refused anything yet."""
        return self._last is None

    def recent(self) -> str:
        """What was refused within the last minute; empty if nothing was."""
        return self._said(self._last) if self._last and time.monotonic() - self._heard_s < TELL_S else ""

    def reason(self, *, last: bool) -> str:
        """Why the broker refuses or is not trusted; empty where that is not why it is out of reach. Where no error says
        it, it is looked for with `last`."""
        security, bootstrap = security_of(self._kafka), self._kafka.bootstrap
        if self._last is not None and self._last.code() == KafkaError._AUTHENTICATION:
            return self._said(self._last)
        if security.encrypted and (last or self._last is not None) and (why := why_no_tls(security, bootstrap)):
            return why
        if self._last is not None and (last or self._last.code() == KafkaError._SSL):
            return self._said(self._last)
        why = why_no_answer(security, bootstrap) if last else ""
        return f"did not answer in time; {why}" if why else ""

    def _said(self, error: KafkaError) -> str:
        text = _AROUND.sub("", error.str()).strip()
        if error.code() != KafkaError._AUTHENTICATION:
            return text
        return login_refused(security_of(self._kafka), text)


def _refuses(error: KafkaError) -> bool:
    return error.code() in (KafkaError._SSL, KafkaError._AUTHENTICATION) or bool(_TLS_TEXTS.search(error.str()))
