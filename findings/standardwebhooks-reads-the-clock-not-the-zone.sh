#!/usr/bin/env bash
# Title: Standard Webhooks for Python signs a time by its clock reading, whatever its zone
# Date: 2026-11-29
# Versions: standardwebhooks 1.1.0 (PyPI). Needs python3
# One would guess: Webhook.sign(id, timestamp, data) takes an aware datetime, so the same moment gives the same
#   signature in every zone, and `webhook-timestamp` is its POSIX time.
# What happens: the zone is replaced by UTC, not converted to it. 14:00+02:00 is signed as 14:00 UTC, two hours after
#   the moment itself, and the message with its true POSIX time is refused by verify() of the same library: "No matching
#   signature found". Only times whose zone is UTC are signed right.
# Why it matters: an outlet that signs the time of an alert in the operator's zone sends webhooks that no receiver
#   accepts, and passes its tests on machines that run in UTC. Convert to UTC before signing.
# Source: Standard Webhooks specification, "Signature scheme" and "Webhook headers"
#   (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): the signed content
#   holds the timestamp in seconds since the epoch
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==1.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import base64
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

from standardwebhooks import Webhook, WebhookVerificationError

print("standardwebhooks", version("standardwebhooks"))
webhook = Webhook(base64.b64encode(b"a secret of thirty-two characters").decode())
body = '{"type":"alert.opened"}'
moment = datetime.now(timezone.utc).replace(microsecond=0)
accepted = {}
for hours in (0, 2, -5):
    signed_at = moment.astimezone(timezone(timedelta(hours=hours)))
    assert signed_at == moment
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(signed_at.timestamp())),
        "webhook-signature": webhook.sign("msg_1", signed_at, body),
    }
    try:
        webhook.verify(body, headers)
        answer = "accepted"
    except WebhookVerificationError as error:
        answer = f"refused: {error}"
    accepted[hours] = answer == "accepted"
    print(f"the same moment in UTC{hours:+d}: {answer}")
assert accepted == {0: True, 2: False, -5: False}, accepted
later = moment + timedelta(hours=2)
two_hours_east = moment.astimezone(timezone(timedelta(hours=2)))
assert webhook.sign("msg_1", two_hours_east, body) == webhook.sign("msg_1", later, body)
print("signed at UTC+2 is signed for two hours later")
PYTHON
