"""Fetching from SNS: its certificates, which are kept, and the confirmation of a subscription."""

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.collect.signature import SignatureError
from api.collect.sns import check_certificate_url
from schemas.errors import ExternalError

FETCH_S = 5.0
MAX_BYTES = 64_000
#: Certificates kept; SNS has one a region and year.
MOST_KEPT = 16
#: Anyone who posts an address that SNS does not know makes us ask for it: no more than so often a minute.
MOST_A_MINUTE = 20

#: The body of the answer to a GET.
Fetch = Callable[[str], bytes]


class FetchError(ExternalError):
    """SNS could not be asked; the same request later may succeed."""


def fetch(url: str) -> bytes:
    """GET an address that has been checked; follows no redirect.

    Raises:
        FetchError: no whole answer within `FETCH_S`, another status than 200, or more than 64 KB.
    """
    from requests import RequestException  # which few collectors need

    from streams.io.watched_session import session
    from streams.io.whole_answer import OversizedAnswerError, whole_answer

    where = url.partition("?")[0]
    try:
        answer = whole_answer(session(), "GET", url, timeout_s=FETCH_S, most_bytes=MAX_BYTES)
    except TimeoutError as error:
        raise FetchError(f"{where}: no whole answer within {FETCH_S:g} s") from error
    except (RequestException, OSError, ValueError, OversizedAnswerError) as error:
        # The whole of it may repeat the address with its token.
        cause = error.args[0] if error.args else error
        raise FetchError(f"{where}: {getattr(cause, 'reason', cause)}") from error
    if answer.status != HTTPStatus.OK:
        raise FetchError(f"{where}: answers {answer.status} {answer.reason}")
    return answer.body


class Certificates:
    """The keys of SNS by the address of their certificate. May be used from several threads."""

    def __init__(self, fetch: Fetch = fetch, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, x509.Certificate] = {}
        self._asked: deque[float] = deque(maxlen=MOST_A_MINUTE)

    def key(self, url: str) -> RSAPublicKey:
        """The key of the certificate at `url`, fetched if it is not kept.

        Raises:
            SignatureError: the address is not SNS's, or what it has is no certificate that is valid now.
            FetchError: it could not be fetched.
        """
        check_certificate_url(url)
        with self._lock:
            found = self._kept.get(url)
        if found is None:
            found = self._fetched(url)
        now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self._clock())
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            raise SignatureError("the certificate of SNS is not valid now")
        key = found.public_key()
        if not isinstance(key, RSAPublicKey):
            raise SignatureError("the certificate of SNS has no RSA key")
        return key

    def _fetched(self, url: str) -> x509.Certificate:
        now_s = self._clock()
        with self._lock:
            if len(self._asked) == MOST_A_MINUTE and now_s - self._asked[0] < 60:
                raise FetchError("too many certificates were asked for within a minute")
            self._asked.append(now_s)
        try:
            found = x509.load_pem_x509_certificate(self._fetch(url))
        except ValueError as error:
            raise SignatureError("SigningCertURL has no certificate") from error
        with self._lock:
            if len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[url] = found
        return found
