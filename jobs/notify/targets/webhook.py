"""Signed webhooks as Standard Webhooks says (standard-webhooks, spec/standard-webhooks.md): the headers webhook-id,
webhook-timestamp and webhook-signature; a receiver checks the signature and drops what it has by the id.
"""

import base64
import binascii
import json
from collections.abc import Sequence

from standardwebhooks import Webhook as Signer

from jobs.notify.addresses import NotPublicError
from jobs.notify.events import Event
from jobs.notify.notification import Outcome, Parcel
from jobs.notify.posting import NoAnswerError, Poster, outcome_of
from jobs.notify.targets.sending import secret_lines
from schemas.notify import LEAST_KEY_BYTES, MOST_KEY_BYTES, NotifyError, Webhook
from schemas.times import utc_time

#: One event, or those of a digest in one (CloudEvents JSON format 1.0.2, sections 3 and 4).
ONE, SEVERAL = "application/cloudevents+json; charset=UTF-8", "application/cloudevents-batch+json; charset=UTF-8"
KEY_PREFIX = "whsec_"
HOW = "make one with `openssl rand -base64 32`"


class WebhookSender:
    """Posts events to one address.

    Raises:
        NotifyError: a key cannot be used.
    """

    def __init__(self, target: Webhook, poster: Poster, *, digest: bool) -> None:
        self._url = target.url
        self._poster = poster
        self._digest = digest
        keys = [("secrets", each) for each in target.secrets]
        for file in target.secret_files:
            keys += [(f"secret_files: {file}", each) for each in secret_lines(file, "secret_files")]
        self._signers = [_signer(key, where) for where, key in keys]

    def send(self, parcel: Parcel, events: Sequence[Event], now_ms: int) -> Outcome:
        """Post it."""
        text = json.dumps([each.plain() for each in events]) if self._digest else events[0].text
        headers = {"Content-Type": SEVERAL if self._digest else ONE, **self.headers(parcel.id, now_ms, text)}
        try:
            answer = self._poster.ask("POST", self._url, headers, text.encode())
        except NotPublicError as error:
            return Outcome(result="never", said=str(error))
        except NoAnswerError as error:
            return Outcome(result="later", said=str(error))
        return outcome_of(answer, now_ms)

    def headers(self, message_id: str, now_ms: int, text: str) -> dict[str, str]:
        """Id, time, and a signature with each key, in the order of the settings."""
        at = utc_time(now_ms // 1000 * 1000)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(now_ms // 1000),
            "webhook-signature": " ".join(str(each.sign(message_id, at, text)) for each in self._signers),
        }


def _signer(key: str, where: str) -> Signer:
    """The library takes any key, also an empty or a short one, and passes over letters that are no base64
    (standardwebhooks 1.1.0, webhooks.py)."""
    try:
        raw = base64.b64decode(key.removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotifyError(f"target.{where}: a key is not base64; {HOW}") from error
    if not LEAST_KEY_BYTES <= len(raw) <= MOST_KEY_BYTES:
        raise NotifyError(
            f"target.{where}: a key has {len(raw)} bytes, and must have {LEAST_KEY_BYTES} to {MOST_KEY_BYTES}; {HOW}"
        )
    return Signer(raw)
