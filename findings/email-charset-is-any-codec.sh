#!/usr/bin/env bash
# Title: The charset of a mail may be any of Python's text codecs: `punycode` takes quadratic time, `idna` raises
# Date: 2026-11-29
# Versions: the standard library of Python 3.11.7
# One would guess: get_content() of a text part decodes it as the character set that the part names, one of IANA's
#   registry, replaces what cannot be decoded (its default is errors="replace"), and takes time in proportion to the
#   part.
# What happens: the name goes to bytes.decode() as it is, and there are codecs behind it that are no character sets of
#   mail. With charset=punycode the time grows with the square of the length: a part of 240 KB takes seconds, one of a
#   megabyte half a minute. With charset=idna or charset=undefined a UnicodeError comes out, whatever `errors` says.
# Why it matters: whoever reads mails of strangers (bounces, feedback reports, answers) with get_content() can be
#   stopped by one small mail, or gets an exception where only replacement characters are looked for. Decode the bytes of
#   get_payload(decode=True) yourself, and only as character sets that mails have.
# Source: Python library reference, email.contentmanager ("errors ... default replace") and codecs ("Text Encodings",
#   "punycode", "idna"); RFC 2046 section 4.1.2 (charset)
set -euo pipefail
python3 - <<'PYTHON'
import email
import email.policy
import sys
import time

print("Python", sys.version.split()[0])


def content(charset: str, length: int) -> tuple[float, str]:
    """Seconds, and what came of it."""
    raw = f"Content-Type: text/plain; charset={charset}\n\naaaaaaaaaa-".encode() + b"a9" * (length // 2)
    part = email.message_from_bytes(raw, policy=email.policy.default)
    begun = time.perf_counter()
    try:
        how = f"{len(part.get_content()):,} characters"
    except UnicodeError as error:
        how = f"{type(error).__name__}: {error}"[:60]
    return time.perf_counter() - begun, how


taken = []
for length in (60_000, 120_000, 240_000):
    seconds, how = content("punycode", length)
    taken.append(seconds)
    print(f"punycode, {length:,} bytes: {seconds:.2f} s, {how}")
raised = [content(charset, 100)[1] for charset in ("idna", "undefined")]
print("idna:", raised[0])
print("undefined:", raised[1])
quadratic = taken[2] > 8 * taken[0]
sys.exit(0 if quadratic and all("UnicodeError" in each for each in raised) else "this has changed")
PYTHON
