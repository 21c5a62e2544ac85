#!/usr/bin/env bash
# Title: Faust reads the milliseconds of a time as microseconds, unless another package happens to be installed
# Date: 2026-11-30
# Versions: faust-streaming 0.15.3, ciso8601 2.4.1 (PyPI). Needs python3
# One would guess: a field of the type datetime in a faust.Record with coerce=True holds the time that its text says, to the digits
#   it was written with.
# What happens: the digits behind the point are taken for a number of microseconds. `10:00:00.500Z`, half a second, becomes
#   10:00:00.000500; `.5` becomes 5 microseconds, and so lies before `.123`. Only six digits are read rightly, nine are refused with
#   "microsecond must be in 0..999999". An offset of whole hours, `+02`, is dropped, and the time is one without a zone. With
#   ciso8601 installed, which is in an extra (`faust-streaming[ciso8601]`), all of that is right.
# Why it matters: KumoMTA, SES and most webhooks write milliseconds, others one digit or nine. Events of one second change their
#   order (a bounce before its delivery), latencies lack up to a second, and two machines of one fleet disagree by what else is
#   installed on them. Keep the time as epoch milliseconds, or parse it yourself.
# Source: ISO 8601-1:2019 section 5.3.1.4 and RFC 3339 section 5.6 (time-secfrac is a decimal fraction of the second); the source
#   faust/utils/iso8601.py (https://github.com/faust-streaming/faust)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check faust-streaming==0.15.3
cat >"$folder/read.py" <<'PYTHON'
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

import faust


class Bounce(faust.Record, coerce=True):
    customer: str
    time: datetime


def read(text):
    try:
        return str(Bounce.from_data({"customer": "acme", "time": text}).time)
    except ValueError as error:
        return f"ValueError: {error}"


try:
    other = version("ciso8601")
except PackageNotFoundError:
    other = "not installed"
print("faust-streaming", version("faust-streaming"), "ciso8601", other)
texts = ("2026-03-12T10:00:00.500Z", "2026-03-12T10:00:00.5Z", "2026-03-12T10:00:00.123Z", "2026-03-12T10:00:00.123456789Z", "2026-03-12T10:00:00+02")
said = [read(text) for text in texts]
for text, found in zip(texts, said, strict=True):
    print(f"{text} -> {found}")
right = [
    "2026-03-12 10:00:00.500000+00:00",
    "2026-03-12 10:00:00.500000+00:00",
    "2026-03-12 10:00:00.123000+00:00",
    "2026-03-12 10:00:00.123456+00:00",
    "2026-03-12 10:00:00+02:00",
]
wrong = [
    "2026-03-12 10:00:00.000500+00:00",
    "2026-03-12 10:00:00.000005+00:00",
    "2026-03-12 10:00:00.000123+00:00",
    "ValueError: microsecond must be in 0..999999",
    "2026-03-12 10:00:00",
]
sys.exit(0 if said == (wrong if other == "not installed" else right) else f"this has changed: {said}")
PYTHON
"$folder/venv/bin/python" "$folder/read.py"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ciso8601==2.4.1
"$folder/venv/bin/python" "$folder/read.py"
