"""What holds several events of SES: requests of Firehose to an HTTP endpoint, records that Lambda and SQS get.

https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html ,
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html , with-sqs.html and with-kinesis.html . Firehose joins
events in a record, and records in a file, with nothing in between.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any

import msgspec

from streams.adapt.json_parts import json_parts

Fields = dict[str, Any]
#: Records of Lambda that hold the queue's messages, which hold those of SNS: no more is looked into.
_MOST_DEPTH = 5
_OBJECT: msgspec.json.Decoder[Fields] = msgspec.json.Decoder(Fields)
#: What the lists are called: of Firehose, of Lambda, of SQS.
_LISTS = ("records", "Records", "Messages")
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def is_bundle(record: Fields) -> bool:
    """Whether a record holds others."""
    return _items(record) is not None or _inner(record) is not None


def unbundled(text: bytes, depth: int = 0) -> list[bytes]:
    """The events in a JSON text, each by itself; the text where it holds no others. What cannot be read is one too."""
    try:
        record = _OBJECT.decode(text)
    except _ERRORS:
        return [text]
    if depth >= _MOST_DEPTH:
        return [text]
    if (items := _items(record)) is not None:
        inside = [msgspec.json.encode(item) for item in items]
    elif (inner := _inner(record)) is not None:
        inside = json_parts(inner)
    else:
        return [text]
    return [event for each in inside for event in unbundled(each, depth + 1)]


def _items(record: Fields) -> list[Any] | None:
    if "eventType" in record or "notificationType" in record:
        return None
    found = next((record[name] for name in _LISTS if name in record), None)
    return found if isinstance(found, list) else None


def _inner(record: Fields) -> bytes | None:
    """What one record of a list holds."""
    if "eventType" in record or "notificationType" in record:
        return None
    match record:
        case {"kinesis": {"data": str(data)}} | {"data": str(data)}:
            try:
                return b64decode(data, validate=True)
            except (Base64Error, ValueError):
                return None
        case {"Sns": dict(message)}:
            return msgspec.json.encode(message)
        case {"body": str(text)} | {"Body": str(text)}:
            return text.encode("utf-8", "replace")
    return None
