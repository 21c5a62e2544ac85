"""Good input made bad: bytes, lines and JSON values changed at random. The same generator gives the same input."""

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

#: What breaks readers: ends of text, numbers and letters out of range, nesting, fields that end lines.
TOKENS = (
    b"\0", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b'"', b"\\u0000", b"\\ud800", b"1e999", b"-1",
    b"9" * 400, b"\r\n", b"\n\n", b"\r\n\r\n", b" " * 5_000, b"[" * 10_000, b'{"a":' * 10_000, b"(" * 5_000,
    b"<" * 5_000, b"=?utf-8?b?w6k=?=", b"=?x?q?=", b";" * 500, b"--=_part_7", b"--=_part_7--", b"\nX-Injected: yes\n",
    b"Content-Type: multipart/mixed; boundary==_part_7\n\n", b"@", b",", b":", b"%00%ff", b"\xe2\x80\xae",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1e308, "", " ", "\0", "\ud83d", "x" * 300, "é" * 200, "9" * 400, "a@b@c", "@",
    "(" * 3_000, "<a@" * 1_000, "a@b.example\r\nX-Injected: yes", "=?utf-8?b?w6k=?=",
    [], {}, [[]], {"a": {}}, [None], "2025-13-45T99:99:99Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
    '{"customer": {"a": 1}}', "[" * 3_000,
)  # fmt: skip
#: Adapters refuse more than this by its size alone, which tests nothing.
MAX_INPUT = 200_000


def mutated(seed: bytes, others: list[bytes], random: Random) -> bytes:
    """The seed after one to six changes; `others` are spliced in.

    Half of the JSON texts are changed in their values alone: most others are refused as no JSON.
    """
    times = random.randint(1, 6)
    if seed.startswith((b"{", b"[")) and random.random() < 0.5:
        return _json(seed, random, times)[:MAX_INPUT]
    changes: list[Callable[[bytes, Random], bytes]] = [_json, _cut, _repeat, _flip, _token, _lines]
    changes.append(lambda raw, rng: _splice(raw, rng.choice(others), rng))
    for _ in range(times):
        seed = random.choice(changes)(seed, random)[:MAX_INPUT]
    return seed


def _place(raw: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(raw))
    return start, min(len(raw), start + random.choice((1, 2, 8, 64, 4_096)))


def _cut(raw: bytes, random: Random) -> bytes:
    start, end = _place(raw, random)
    return raw[:start] + raw[end:]


def _repeat(raw: bytes, random: Random) -> bytes:
    start, end = _place(raw, random)
    # Whole records a hundred times are read a hundred times as slowly: one in four of what they would be.
    often = (2, 3, 100) if end - start <= 64 else (2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 100)
    return raw[:start] + raw[start:end] * random.choice(often) + raw[end:]


def _flip(raw: bytes, random: Random) -> bytes:
    start, end = _place(raw, random)
    return raw[:start] + random.randbytes(end - start) + raw[end:]


def _token(raw: bytes, random: Random) -> bytes:
    start, end = _place(raw, random)
    return raw[:start] + random.choice(TOKENS) + raw[random.choice((start, end)) :]


def _lines(raw: bytes, random: Random) -> bytes:
    lines = raw.split(b"\n")
    if random.random() < 0.3:
        random.shuffle(lines)
    else:
        lines.insert(random.randint(0, len(lines)), random.choice(lines))
    return b"\n".join(lines)


def _splice(raw: bytes, other: bytes, random: Random) -> bytes:
    return raw[: random.randint(0, len(raw))] + other[random.randint(0, len(other)) :]


def _json(raw: bytes, random: Random, times: int = 1) -> bytes:
    """Values of a JSON text replaced, taken out or given within themselves, so many times; other input as it is."""
    if not raw.lstrip().startswith((b"{", b"[", b'"')):
        return raw
    try:
        document = json.loads(raw)
        for _ in range(times):
            inner, key = _somewhere(document, random)
            if inner is None:
                document = _value(random)
            elif not (action := random.randint(0, 3)):
                del inner[key]
            else:
                inner[key] = _value(random) if action < 3 else {str(key): inner[key]}
        return json.dumps(document, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return raw


def _value(random: Random) -> Any:
    """One of the values, which the next change does not change for all."""
    found = random.choice(VALUES)
    return deepcopy(found) if isinstance(found, list | dict) else found


def _somewhere(document: Any, random: Random) -> tuple[Any, Any]:
    """A container in the document and one of its keys; (None, None) where there is none."""
    found: tuple[Any, Any] = (None, None)
    here = document
    while isinstance(here, dict | list) and here:
        key = random.choice(list(here)) if isinstance(here, dict) else random.randrange(len(here))
        found = (here, key)
        if random.random() < 0.3:
            break
        here = here[key]
    return found
