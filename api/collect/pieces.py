"""Batches of events that are larger than a message may be, in several messages. Pure."""

import msgspec

from api.collect.body import TooLargeError
from streams.adapt import MAILS, ses
from streams.adapt.base import AdaptError
from streams.adapt.form import form_fields, is_form
from streams.adapt.mandrill import FORM_FIELD

#: Formats whose bodies are arrays of events, as many as came together: up to 1,000 of Mandrill
#: (https://mandrill.zendesk.com/hc/en-us/articles/360038740594-Webhook-Format) and of SparkPost
#: (https://support.sparkpost.com/docs/tech-resources/webhook-data-streams).
#: Firehose sends SES's events so, 5 MiB together if it is not told otherwise.
BATCHED = frozenset({"brevo", "mailjet", "mandrill", "sendgrid", "ses", "sparkpost"})

_EVENTS = msgspec.json.Decoder(list[msgspec.Raw])


def pieces(format_name: str, body: bytes, most: int) -> list[bytes]:
    """The body as messages of at most `most` bytes each, which together say what it says. What fits stays as it came.

    Raises:
        TooLargeError: the body is no array of events, or one of them is larger.
    """
    if len(body) <= most:
        return [body]
    if format_name in MAILS:
        # What a report says stands before the mail that it is about.
        return [body[:most]]
    try:
        if format_name == "ses":
            return _arrays(ses.parts(body), most)
        return _arrays(list(map(bytes, _EVENTS.decode(_array(format_name, body)))), most)
    except (AdaptError, KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TooLargeError from error


def _array(format_name: str, body: bytes) -> bytes:
    if format_name == "mandrill" and is_form(body):
        return form_fields(body, len(body))[FORM_FIELD][0].encode()
    return body


def _arrays(events: list[bytes], most: int) -> list[bytes]:
    found: list[bytes] = []
    begun: list[bytes] = []
    size = 0
    for event in events:
        if len(event) + 2 > most:
            raise TooLargeError
        # Two brackets, and a comma before each event but the first.
        if begun and size + len(event) + len(begun) + 2 > most:
            found.append(_joined(begun))
            begun, size = [], 0
        begun.append(event)
        size += len(event)
    return [*found, _joined(begun)]


def _joined(events: list[bytes]) -> bytes:
    return b"[" + b",".join(events) + b"]"
