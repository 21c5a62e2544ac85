#!/usr/bin/env bash
# Title: django-anymail makes several complaints of one, and complaints of what its sender says is none
# Date: 2026-11-29
# Versions: django-anymail 15.2 (with boto3 1.44.8), Django 5.2.19
# One would guess: a tracking event of type `complained` is one recipient who called one message spam, so counting
#   these events gives the complaint rate, whichever provider sent the webhook.
# What happens: (1) mailbox providers hide who complained, so Amazon SES lists every recipient of the message there
#   who may have: one complaint about a mail to three addresses of a domain gives three events. (2) The feedback type
#   `not-spam`, by which somebody says that mail was wrongly taken for spam, is `complained` too. (3) So is the
#   sub-type `OnAccountSuppressionList`, where SES sent nothing at all. (4) Postmark reports a complaint by the
#   webhook SpamComplaint and, if both are subscribed, by SubscriptionChange: two events, of which the second has no
#   id.
# Why it matters: 0.1 % is where Gmail wants senders to stay below and where SES puts an account under review, so
#   twice or three times too many complaints suspend a good sender; `not-spam` even counts against whom it speaks for.
#   Look into `esp_event` before counting: SES's feedback id makes one of several, feedback type and sub-type tell
#   what is none, and of Postmark's two webhooks only one may count.
# Source: Amazon SES Developer Guide, "Event data examples", complaint object
#   (https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html); RFC 5965 section 7.3
#   and the IANA registry of feedback types (not-spam: RFC 6430); Postmark, "Subscription change webhook"
#   (https://postmarkapp.com/developer/webhooks/subscription-change-webhook)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check django-anymail==15.2 boto3==1.44.8 Django==5.2.19
"$folder/venv/bin/python" - <<'PYTHON'
import base64
import json
import sys
from importlib.metadata import version

import django
from django.conf import settings

settings.configure(ANYMAIL={"WEBHOOK_SECRET": "hook:secret"}, SECRET_KEY="finding", ALLOWED_HOSTS=["*"])
django.setup()

from anymail.signals import tracking
from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from django.test import RequestFactory

print("django-anymail", version("django-anymail"), "Django", version("Django"))
IRIS, OTTO, ADA = "iris@example.net", "otto@example.net", "ada@example.net"
BASIC = "Basic " + base64.b64encode(b"hook:secret").decode()
heard = []


def hear(sender, event, esp_name, **_):
    heard.append((event.event_type, event.recipient, event.event_id))


tracking.connect(hear)


def posted(view, body, kind="application/json", **headers):
    request = RequestFactory().post("/", json.dumps(body), content_type=kind, HTTP_AUTHORIZATION=BASIC, **headers)
    assert view.as_view()(request).status_code == 200


def ses(addresses, **about):
    event = {
        "eventType": "Complaint",
        "mail": {
            "timestamp": "2026-11-29T09:00:00.000Z",
            "messageId": "message-1",
            "source": "shop@example.com",
            "destination": [IRIS, OTTO, ADA],
        },
        "complaint": {
            "timestamp": "2026-11-29T10:00:00.000Z",
            "feedbackId": "feedback-1",
            "complainedRecipients": [{"emailAddress": each} for each in addresses],
            **about,
        },
    }
    envelope = {
        "Type": "Notification",
        "MessageId": "sns-1",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:mail",
        "Timestamp": "2026-11-29T10:00:01.000Z",
        "Message": json.dumps(event),
    }
    headers = {"HTTP_X_AMZ_SNS_MESSAGE_TYPE": "Notification", "HTTP_X_AMZ_SNS_MESSAGE_ID": "sns-1"}
    posted(AmazonSESTrackingWebhookView, envelope, "text/plain; charset=UTF-8", **headers)


def postmark():
    shared = {"MessageID": "message-1", "ServerID": 1, "MessageStream": "outbound", "Tag": "", "Metadata": {}}
    complaint = {
        "RecordType": "SpamComplaint",
        "ID": 42,
        "Type": "SpamComplaint",
        "TypeCode": 512,
        "Email": IRIS,
        "From": "shop@example.com",
        "BouncedAt": "2026-11-29T10:00:00Z",
    }
    change = {
        "RecordType": "SubscriptionChange",
        "ChangedAt": "2026-11-29T10:00:00Z",
        "Recipient": IRIS,
        "Origin": "Recipient",
        "SuppressSending": True,
        "SuppressionReason": "SpamComplaint",
    }
    posted(PostmarkTrackingWebhookView, shared | complaint)
    posted(PostmarkTrackingWebhookView, shared | change)


found = {}
for name, sent in (
    ("SES, one complaint, three recipients there", lambda: ses([IRIS, OTTO, ADA], complaintFeedbackType="abuse")),
    ("SES, feedback type not-spam", lambda: ses([IRIS], complaintFeedbackType="not-spam")),
    ("SES, not sent, recipient is suppressed", lambda: ses([IRIS], complaintSubType="OnAccountSuppressionList")),
    ("Postmark, one complaint, both webhooks", postmark),
):
    heard.clear()
    sent()
    print(f"{name}: {heard}")
    found[name] = [(kind, identity) for kind, _, identity in heard]
expected = [
    [("complained", "sns-1")] * 3,
    [("complained", "sns-1")],
    [("complained", "sns-1")],
    [("complained", "42"), ("complained", None)],
]
sys.exit(0 if list(found.values()) == expected else f"this has changed: {found}")
PYTHON
