"""`POST /collect/{format}/{source}`: a provider's webhook, proved and handed to Kafka before it is answered."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import ClientDisconnect

from api.collect import firehose, sns
from api.collect.body import (
    MemoryBudget,
    NoRoomError,
    NotGzipError,
    TooLargeError,
    TooSlowError,
    check_length,
    read_body,
    unpacked,
)
from api.collect.certificates import Fetch, FetchError
from api.collect.credentials import CredentialsError
from api.collect.deliver import Deliverer, NotTakenError
from api.collect.lmtp import serving
from api.collect.numbers import UNKNOWN, CollectorMetrics, RequestOutcome
from api.collect.pieces import BATCHED, pieces
from api.collect.schemes import RequestVerdict
from api.collect.signature import SignatureError
from api.collect.sources import PreparedSource
from api.http.metrics import PartsCollector, health_body, health_status
from api.http.problems import RETRY_AFTER_S, ApiError, add_handlers
from schemas.collect import Collect
from schemas.times import utc_now_ms
from streams.adapt import EVERY_FORMAT, MAILS
from streams.adapt.arrival import stamped
from streams.io.health import HealthLimits, HealthVerdict, Observations, verdict
from streams.io.pulse import Pulse

#: How long the broker may take to say that it is there.
HEALTH_S = 2.0
#: What a stop waits for, beyond the time a body and its acknowledgement may take.
STOP_S = 2.0
#: A source's refusals are logged at most so often, in s: anybody may send what is refused.
LOG_S = 60.0

log = logging.getLogger("repmon.collect")


class RefusedError(ApiError):
    """A request that is not taken, with the name its metric has."""

    def __init__(
        self, outcome: RequestOutcome, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers=headers)
        self.outcome = outcome


class Collector:
    """Takes requests. `clock` gives epoch seconds; `fetch` confirms subscriptions."""

    def __init__(
        self,
        settings: Collect,
        sources: Mapping[str, PreparedSource],
        deliverer: Deliverer,
        fetch: Fetch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.numbers = CollectorMetrics()
        self.deliverer = deliverer
        self.topics = sorted({each.topic for each in sources.values()})
        self._broker = Pulse("ask broker", lambda: deliverer.missing(self.topics, HEALTH_S), HEALTH_S)
        self._settings = settings
        self._sources = sources
        self._fetch = fetch
        self._clock = clock
        self._budget = MemoryBudget(settings.max_inflight_bytes)
        self._logged: dict[str, float] = {}

    @property
    def patience_s(self) -> float:
        """How long a stop waits for what is under way, in s."""
        return self._settings.body_s + self._settings.acknowledge_s + STOP_S

    def health(self) -> HealthVerdict:
        """What is wrong now: the broker is asked, for no longer than `HEALTH_S`. Any thread may ask."""
        now_ms = utc_now_ms()
        self._broker.ask()
        missing = tuple((name, 0) for name in self._broker.value or ())
        seen = Observations(now_ms=now_ms, broker=self._broker.contact, missing=missing)
        return verdict("collect", seen, HealthLimits(silent_ms=0))

    @property
    def mail_sources(self) -> list[PreparedSource]:
        """The sources that have addresses for mail."""
        return [each for each in self._sources.values() if each.addresses]

    @property
    def most_bytes(self) -> int:
        """What is kept of a mail, in bytes."""
        return self._settings.max_bytes

    def reserve(self) -> AbstractContextManager[Callable[[int], None]]:
        """Memory for one mail: by a function, which raises NoRoomError."""
        return self._budget.reserve()

    async def keep_mail(self, source: PreparedSource, mail: bytes) -> None:
        """Hand a mail that came by LMTP to the broker.

        Raises:
            NotTakenError: it was not acknowledged in time.
        """
        mail = stamped(mail, self._now_ms())[: self.most_bytes]
        with self.numbers.acknowledge_seconds.time():
            await self.deliverer.deliver(source.topic, source.name.encode(), mail)
        self.numbers.bytes.labels(source.format_name).inc(len(mail))

    def count_mail(self, source: PreparedSource | None, outcome: RequestOutcome) -> None:
        """Count what became of a mail for one recipient."""
        self.numbers.requests.labels(source.format_name if source else UNKNOWN, outcome).inc()

    def find(self, format_name: str, name: str) -> PreparedSource:
        """The source at an address.

        Raises:
            RefusedError: there is none, or it has another format.
        """
        found = self._sources.get(name)
        if found is None or found.format_name != format_name:
            raise RefusedError("not_found", HTTPStatus.NOT_FOUND, "there is no such source; see collect.sources")
        return found

    async def take(self, format_name: str, name: str, request: Request) -> Response:
        """One request, from its head to its answer.

        Raises:
            RefusedError: it is not taken.
        """
        outcome: RequestOutcome = "failed"
        try:
            source = self.find(format_name, name)
            outcome = await self._taken(source, request)
            answer = firehose.answer(request.headers, self._clock()) if source.format_name == "ses" else None
            return PlainTextResponse(source.answer) if answer is None else JSONResponse(answer)
        except RefusedError as error:
            outcome = error.outcome
            raise
        finally:
            self.numbers.requests.labels(format_name if format_name in EVERY_FORMAT else UNKNOWN, outcome).inc()

    async def _taken(self, source: PreparedSource, request: Request) -> RequestOutcome:
        with self._budget.reserve() as reserve:
            body = await self._body(source, request, reserve)
            verdict = await self._proved(source, request, body)
            if verdict == "confirm":
                await self._confirm(source, body)
            if verdict == "unsubscribed":
                log.warning("%s: SNS no longer sends: the subscription was ended", source.name)
            if _is_packed(source, request):
                body = await self._unpacked(source, body, reserve)
            if verdict != "keep" or not await self._kept(source, body):
                return "answered"
        self.numbers.bytes.labels(source.format_name).inc(len(body))
        return "taken"

    async def _body(self, source: PreparedSource, request: Request, reserve: Callable[[int], None]) -> bytes:
        limit = self._limit(source)
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity" and not _is_packed(source, request):
            raise RefusedError(
                "encoded", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is compressed; send it as it is",
                {"Accept-Encoding": "identity", "Connection": "close"},
            )  # fmt: skip
        try:
            check_length(request.headers, limit)
            return await read_body(request.stream(), limit, self._settings.body_s, reserve)
        except TooLargeError as error:
            raise _too_large(f"the body has more than {limit:,} bytes") from error
        except TooSlowError as error:
            detail = f"the body did not come within {self._settings.body_s:g} s"
            raise RefusedError("cut_off", HTTPStatus.REQUEST_TIMEOUT, detail, {"Connection": "close"}) from error
        except ClientDisconnect as error:
            raise RefusedError("cut_off", HTTPStatus.BAD_REQUEST, "the body ended too early") from error
        except NoRoomError as error:
            raise _later("too many webhooks at once") from error

    async def _unpacked(self, source: PreparedSource, body: bytes, reserve: Callable[[int], None]) -> bytes:
        limit = self._limit(source)
        try:
            # As much as a body may take, which there is room for; here, since the budget is this thread's own.
            reserve(max(0, limit - len(body)))
            return await asyncio.to_thread(unpacked, body, limit)
        except NotGzipError as error:
            raise RefusedError("encoded", HTTPStatus.BAD_REQUEST, str(error)) from error
        except TooLargeError as error:
            raise _too_large(f"the body has more than {limit:,} bytes, unpacked") from error
        except NoRoomError as error:
            raise _later("too many webhooks at once") from error

    def _limit(self, source: PreparedSource) -> int:
        settings = self._settings
        batch = settings.batch_bytes if source.format_name in BATCHED | MAILS else 0
        return max(settings.max_bytes, min(batch, settings.max_inflight_bytes))

    async def _proved(self, source: PreparedSource, request: Request, body: bytes) -> RequestVerdict:
        now_s = self._clock()
        try:
            if source.slow or len(body) > self._settings.max_bytes:
                return await asyncio.to_thread(source.check, request.headers, body, now_s)
            return source.check(request.headers, body, now_s)
        except CredentialsError as error:
            self._log(source, error)
            challenge = {"WWW-Authenticate": f'{error.scheme} realm="webhooks"'}
            raise RefusedError(
                "refused", HTTPStatus.UNAUTHORIZED, "credentials are missing or wrong", challenge
            ) from error  # fmt: skip
        except SignatureError as error:
            self._log(source, error)
            raise RefusedError("refused", HTTPStatus.FORBIDDEN, "the signature is missing, wrong or too old") from error
        except FetchError as error:
            log.warning("%s: %s", source.name, error)
            raise _later("the signature cannot be checked now") from error

    async def _confirm(self, source: PreparedSource, body: bytes) -> None:
        message = sns.read_message(body)
        try:
            await asyncio.to_thread(self._fetch, sns.confirmation_url(message))
        except SignatureError as error:
            self._log(source, error)
            raise RefusedError("refused", HTTPStatus.FORBIDDEN, "the subscription cannot be confirmed there") from error
        except FetchError as error:
            log.warning("%s: %s", source.name, error)
            raise _later("the subscription cannot be confirmed now") from error
        log.warning("%s: the subscription to %s is confirmed", source.name, message.topic_arn)

    async def _kept(self, source: PreparedSource, body: bytes) -> bool:
        """Hand it on; False where the very same request was handed on before."""
        if source.token is None:
            await self._deliver(source, body)
            return True
        token, kept = source.token(body), False
        try:
            found = source.used.take(token, body, self._clock())
        except SignatureError as error:
            self._log(source, error)
            raise RefusedError("refused", HTTPStatus.FORBIDDEN, "the signature was used before") from error
        if found == "busy":
            raise _later("the same webhook is being kept")
        if found == "again":
            return False
        try:
            await self._deliver(source, body)
            kept = True
        finally:
            source.used.settle(token, kept=kept)
        return True

    async def _deliver(self, source: PreparedSource, body: bytes) -> None:
        limit = self._settings.max_bytes
        if source.format_name in MAILS:
            dated = stamped(body, self._now_ms())
            # What fits as it is stays one message.
            body = dated if len(dated) <= limit or len(body) > limit else body
        messages = [body]
        if len(body) > limit:
            try:
                messages = await asyncio.to_thread(pieces, source.format_name, body, limit)
            except TooLargeError as error:
                raise _too_large(f"the body has more than {limit:,} bytes and is no batch of smaller events") from error
        with self.numbers.acknowledge_seconds.time():
            try:
                # One key a source, so one partition: there ingest sees that a webhook came before.
                key = source.name.encode()
                await asyncio.gather(*(self.deliverer.deliver(source.topic, key, each) for each in messages))
            except NotTakenError as error:
                log.warning("%s: %s: %s", source.name, self.deliverer.where, error)
                raise _later("the webhook could not be kept; send it again") from error

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _log(self, source: PreparedSource, error: Exception) -> None:
        now_s = time.monotonic()
        if now_s - self._logged.get(source.name, -LOG_S) >= LOG_S:
            self._logged[source.name] = now_s
            log.warning("%s: refused: %s (logged once a minute)", source.name, error)


def _is_packed(source: PreparedSource, request: Request) -> bool:
    """Whether the body is gzip and may be: Firehose signs nothing, and signatures are over bodies as they come."""
    return source.format_name == "ses" and not source.slow and firehose.is_packed(request.headers)


def _too_large(detail: str) -> RefusedError:
    return RefusedError("too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, {"Connection": "close"})


def _later(detail: str) -> RefusedError:
    return RefusedError("unavailable", HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER_S)})


def create_app(collector: Collector, lmtp: socket.socket | None = None) -> FastAPI:
    """The application, with mail from a socket; it closes the collector's producer at its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with serving(collector, lmtp, collector.patience_s):
            yield
        await asyncio.to_thread(collector.deliverer.close)

    app = FastAPI(title="Webhook collector", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    add_handlers(app)

    @app.post("/collect/{format_name}/{name}")
    async def post(format_name: str, name: str, request: Request) -> Response:
        return await collector.take(format_name, name, request)

    @app.head("/collect/{format_name}/{name}")
    async def head(format_name: str, name: str) -> Response:
        # Mandrill asks so before it saves a webhook.
        collector.find(format_name, name)
        return Response()

    @app.get("/livez")
    async def alive() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/healthz")
    async def health() -> Response:
        found = await asyncio.to_thread(collector.health)
        if not found.well:
            log.warning("%s: %s", collector.deliverer.where, found)
        # Anybody may ask, so the words of errors, which name addresses, are for the log.
        return JSONResponse(
            msgspec.to_builtins(health_body(found, for_operators=False)),
            status_code=health_status(found),
            headers={"Cache-Control": "no-store"} if found.well else {"Retry-After": str(RETRY_AFTER_S)},
        )

    collector.numbers.registry.register(PartsCollector(collector.health))

    @app.get("/metrics")
    async def metrics() -> Response:
        said = await asyncio.to_thread(generate_latest, collector.numbers.registry)
        return PlainTextResponse(said, media_type=CONTENT_TYPE_LATEST)

    return app
