"""Batches of events that are larger than a message may be, in several messages. Pure."""

import msgspec

from api.collect.body import TooLargeError
from streams.adapt import MAILS, ses
from streams.adapt.base import AdaptError
from streams.adapt.form import form_fields, is_form
from streams.adapt.mandrill import FORM_FIELD
from streams.adapt.xarf import xarf_joined, xarf_parts

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
        reports = xarf_parts(body)
        # What a report says stands before the mail that it is about.
        return [body[:most]] if len(reports) < 2 else [xarf_joined(each) for each in _groups(reports, most)]
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
    # The bracket at the end; at the beginning, and between two, is what a group has for each.
    return [b"[" + b",".join(each) + b"]" for each in _groups(events, most - 1)]


def _groups(events: list[bytes], most: int) -> list[list[bytes]]:
    """As few as may be, each of at most `most` bytes with one more for each event."""
    found: list[list[bytes]] = []
    size = most
    for event in events:
        if len(event) + 1 > most:
            raise TooLargeError
        size += len(event) + 1
        if size > most:
            found.append([])
            size = len(event) + 1
        found[-1].append(event)
    return found
