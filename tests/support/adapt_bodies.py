"""Good messages of every format, each of which gives events: what hostile input is made from."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus

from tests.support.mails import fields, report

MAIL: dict[str, Any] = {
    "timestamp": "2025-09-12T11:07:58.120Z",
    "source": "Brightleaf <news@brightleaf.example>",
    "sendingAccountId": "444455556666",
    "messageId": "0100-aa-000000",
    "destination": ["iris@gmail.com"],
    "headers": [{"name": "X-Account", "value": "brightleaf"}],
    "tags": {"customer": ["brightleaf"], "ses:outgoing-ip": ["192.0.2.61"]},
}
SES_BOUNCE = {
    "eventType": "Bounce",
    "mail": MAIL,
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {"emailAddress": "iris@gmail.com", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 none"},
            {"emailAddress": "oskar@yahoo.com"},
        ],
        "timestamp": "2025-09-12T11:08:01.440Z",
        "feedbackId": "0100-ff-000000",
    },
}
SES_BOUNCES = [json.dumps(SES_BOUNCE | {"mail": MAIL | {"messageId": name}}).encode() for name in "abc"]
SES_BUNDLE = {
    "requestId": "r-1",
    "timestamp": 1757675282000,
    "records": [
        {"data": b64encode(b"".join(SES_BOUNCES[:2])).decode()},
        {"body": SES_BOUNCES[2].decode()},
    ],
}
POSTAL_MESSAGE = {
    "id": 12345,
    "direction": "outgoing",
    "message_id": "1@rp.brightleaf.example",
    "to": "iris@gmail.com",
    "from": "news@brightleaf.example",
    "tag": "weekly",
}

#: JSON bodies by format.
DOCUMENTS: dict[str, list[Any]] = {
    "canonical": [
        {
            "id": "e1",
            "type": "bounced",
            "time": 1757675281000,
            "customer": "brightleaf",
            "recipient": "iris@gmail.com",
            "smtp_code": 550,
            "enhanced_status": "5.1.1",
            "diagnostic": "550 5.1.1 none",
        }
    ],
    "kumomta": [
        {
            "type": "Bounce",
            "id": "k1",
            "sender": "bounce@brightleaf.example",
            "recipient": ["iris@gmail.com", "oskar@yahoo.com"],
            "queue": "weekly:brightleaf@gmail.com",
            "response": {
                "code": 550,
                "enhanced_code": {"class": 5, "subject": 1, "detail": 1},
                "content": "none",
            },
            "timestamp": 1757675281,
            "event_time": "2025-09-12T11:08:01.440526026Z",
            "num_attempts": 1,
            "source_address": {"address": "[2001:db8::1]:25"},
            "egress_pool": "shared",
            "meta": {"account": "a"},
            "headers": {"From": "Brightleaf <news@brightleaf.example>"},
        }
    ],
    "sendgrid": [
        [
            {
                "event": "bounce",
                "email": "iris@gmail.com",
                "timestamp": 1757675281,
                "smtp-id": "<1@brightleaf.example>",
                "sg_event_id": "s1",
                "customer": "brightleaf",
                "ip": "192.0.2.31",
                "pool": {"name": "shared", "id": 2},
                "status": "5.1.1",
                "reason": "550 5.1.1 none",
                "type": "bounce",
                "category": ["weekly"],
            }
        ]
    ],
    "socketlabs": [
        {
            "Type": "Failed",
            "DateTime": "2025-09-12T11:08:01.4405260Z",
            "ServerId": 4711,
            "Address": "iris@gmail.com",
            "MessageId": "m-1",
            "BounceStatus": "5.1.1",
            "DiagnosticCode": "smtp;550 5.1.1 none",
            "FailureType": "Permanent",
            "Data": {"Meta": [{"Key": "Account", "Value": "brightleaf"}], "Tags": ["weekly"]},
        }
    ],
    "ses": [
        SES_BOUNCE,
        SES_BUNDLE,
        {"Type": "Notification", "Message": json.dumps(SES_BOUNCE), "Timestamp": "2025-09-12T11:08:02.000Z"},
        {
            "eventType": "Delivery",
            "mail": MAIL,
            "delivery": {
                "timestamp": "2025-09-12T11:08:01Z",
                "recipients": ["iris@gmail.com"],
                "smtpResponse": "250 ok",
            },
        },
        {
            "eventType": "Complaint",
            "mail": MAIL,
            "complaint": {
                "timestamp": "2025-09-12T11:08:01Z",
                "complainedRecipients": [{"emailAddress": "iris@gmail.com"}, {"emailAddress": "j@gmail.com"}],
                "complaintFeedbackType": "abuse",
            },
        },
        {
            "eventType": "Subscription",
            "mail": MAIL,
            "subscription": {
                "timestamp": "2025-09-12T11:08:01Z",
                "newTopicPreferences": {
                    "unsubscribeAll": False,
                    "topicSubscriptionStatus": [{"subscriptionStatus": "OptOut"}],
                },
            },
        },
        {"eventType": "Reject", "mail": MAIL, "reject": {"reason": "Bad content"}},
    ],
    "mailgun": [
        {
            "signature": {"timestamp": "1757675281"},
            "event-data": {
                "id": "g1",
                "event": "failed",
                "severity": "permanent",
                "reason": "bounce",
                "timestamp": 1757675281.44,
                "recipient": "iris@gmail.com",
                "domain": {"name": "mg.brightleaf.example"},
                "envelope": {"sender": "b@mg.brightleaf.example", "sending-ip": "192.0.2.71"},
                "message": {"headers": {"message-id": "1@mg", "from": "news@brightleaf.example"}},
                "delivery-status": {
                    "code": 550,
                    "message": "5.1.1 none",
                    "enhanced-code": "5.1.1",
                    "attempt-no": 1,
                },
                "flags": {"is-delayed-bounce": True},
                "tags": ["weekly"],
                "campaigns": [{"id": "c1", "name": "weekly"}],
                "user-variables": {"customer": "brightleaf"},
            },
        }
    ],
    "postmark": [
        {
            "RecordType": "Bounce",
            "ID": 7001,
            "Type": "HardBounce",
            "MessageID": "p-1",
            "MessageStream": "broadcast",
            "ServerID": 4711,
            "Email": "iris@gmail.com",
            "From": "news@brightleaf.example",
            "Tag": "weekly",
            "Details": "smtp;550 5.1.1 none",
            "BouncedAt": "2025-09-12T07:08:01.4405263-04:00",
            "Metadata": {"customer": "brightleaf"},
        },
        {
            "RecordType": "SubscriptionChange",
            "MessageID": "p-2",
            "ServerID": 4711,
            "Recipient": "iris@gmail.com",
            "ChangedAt": "2025-09-12T11:08:01Z",
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
        },
    ],
    "sparkpost": [
        [
            {
                "msys": {
                    "message_event": {
                        "type": "bounce",
                        "event_id": "9001",
                        "timestamp": "1757675281",
                        "message_id": "0004",
                        "transmission_id": "65",
                        "raw_rcpt_to": "iris@gmail.com",
                        "friendly_from": "news@brightleaf.example",
                        "sending_ip": "192.0.2.81",
                        "ip_pool": "shared",
                        "subaccount_id": "101",
                        "campaign_id": "weekly",
                        "rcpt_tags": ["sale"],
                        "rcpt_meta": {"customer": "brightleaf"},
                        "bounce_class": "10",
                        "error_code": "550",
                        "raw_reason": "550 5.1.1 none",
                        "num_retries": "0",
                        "transactional": "1",
                    }
                }
            },
            {
                "msys": {
                    "message_event": {
                        "type": "spam_complaint",
                        "timestamp": "1757675281",
                        "injection_time": "2025-09-11T08:00:00.000Z",
                        "message_id": "0005",
                        "rcpt_to": "iris@gmail.com",
                        "customer_id": "1",
                        "fbtype": "abuse",
                    }
                }
            },
        ]
    ],
    "mailjet": [
        [
            {
                "event": "bounce",
                "time": 1757675281,
                "MessageID": 19421777835146490,
                "email": "iris@gmail.com",
                "mj_campaign_id": 7257,
                "customcampaign": "weekly",
                "Payload": '{"customer": "brightleaf"}',
                "hard_bounce": True,
                "error_related_to": "recipient",
                "error": "user unknown",
                "comment": "550 5.1.1 none",
            }
        ]
    ],
    "brevo": [
        {
            "event": "hard_bounce",
            "email": "iris@gmail.com",
            "id": 26224,
            "ts_event": 1757682481,
            "ts_epoch": 1757675281440,
            "message-id": "<1@brightleaf.example>",
            "sending_ip": "192.0.2.91",
            "tag": '["weekly"]',
            "tags": ["weekly"],
            "X-Mailin-custom": '{"customer": "brightleaf"}',
            "reason": "550 5.1.1 none",
        },
        {
            "event": "spam",
            "email": "iris@gmail.com",
            "camp_id": 17,
            "ts_sent": 1757577600,
            "ts_event": 1757682481,
            "X-Mailin-custom": '{"customer": "brightleaf"}',
        },
    ],
    "mandrill": [
        [
            {
                "event": "hard_bounce",
                "ts": 1757675281,
                "_id": "0f3a",
                "msg": {
                    "_id": "0f3a",
                    "email": "iris@gmail.com",
                    "sender": "news@brightleaf.example",
                    "tags": ["weekly"],
                    "metadata": {"customer": "brightleaf"},
                    "subaccount": "sub-7",
                    "bounce_description": "bad_mailbox",
                    "diag": "smtp;550 5.1.1 none",
                    "reject": {"reason": "hard-bounce"},
                    "smtp_events": [{"type": "bounced", "diag": "550", "source_ip": "192.0.2.95"}],
                },
            },
            {
                "event": "spam",
                "ts": 1757675281,
                "msg": {"_id": "0f3b", "ts": 1757577600, "email": "iris@gmail.com", "subaccount": "sub-7"},
            },
        ]
    ],
    "mailersend": [
        {
            "type": "activity.hard_bounced",
            "domain_id": "dom-9",
            "data": {
                "id": "a1",
                "type": "hard_bounced",
                "created_at": "2025-09-12T11:08:01.440526Z",
                "email": {
                    "id": "mail-1",
                    "from": "news@brightleaf.example",
                    "tags": ["weekly"],
                    "message": {"id": "message-1"},
                    "recipient": {"email": "iris@gmail.com"},
                },
                "morph": {"object": "recipient_bounce", "reason": "550 5.1.1 none"},
            },
        }
    ],
    "resend": [
        {
            "type": "email.bounced",
            "created_at": "2025-09-12T11:08:01.440Z",
            "data": {
                "email_id": "r1",
                "from": "Brightleaf <news@brightleaf.example>",
                "to": ["Iris <iris@gmail.com>", "oskar@yahoo.com"],
                "tags": [{"name": "customer", "value": "brightleaf"}],
                "broadcast_id": "cast-1",
                "bounce": {
                    "type": "Permanent",
                    "subType": "General",
                    "message": "gone",
                    "diagnosticCode": ["smtp; 550 5.1.1 none"],
                },
            },
        }
    ],
    "postal": [
        {
            "event": "MessageDeliveryFailed",
            "timestamp": 1757675281.44,
            "uuid": "u-1",
            "payload": {
                "status": "HardFail",
                "details": "Failed (from 192.0.2.15)",
                "output": "550 5.1.1 none",
                "timestamp": 1757675281.3,
                "message": POSTAL_MESSAGE,
            },
        },
        {
            "event": "MessageBounced",
            "timestamp": 1757675281.44,
            "uuid": "u-2",
            "payload": {"original_message": POSTAL_MESSAGE, "bounce": POSTAL_MESSAGE},
        },
    ],
    "mailtrap": [
        {
            "events": [
                {
                    "event": "bounce",
                    "event_id": "t1",
                    "timestamp": 1757675281,
                    "message_id": "m1",
                    "sending_stream": "transactional",
                    "sending_domain_name": "brightleaf.example",
                    "email": "iris@gmail.com",
                    "category": "weekly",
                    "custom_variables": {"customer": "brightleaf"},
                    "response": "550 5.1.1 none",
                    "response_code": 550,
                }
            ]
        }
    ],
    "unisender": [
        {
            "auth": "0f3a",
            "events_by_user": [
                {
                    "user_id": 456,
                    "project_id": "p-1",
                    "events": [
                        {
                            "event_name": "transactional_email_status",
                            "event_data": {
                                "job_id": "1uxA1B",
                                "email": "iris@gmail.com",
                                "status": "hard_bounced",
                                "event_time": "2025-09-12 11:08:01",
                                "metadata": {"customer": "brightleaf"},
                                "delivery_info": {
                                    "delivery_status": "err_user_unknown",
                                    "destination_response": "550 5.1.1 none",
                                },
                            },
                        }
                    ],
                }
            ],
        }
    ],
    "hetrixtools": [
        [
            {
                "monitor": "192.0.2.17",
                "label": "mx",
                "blacklisted_before": "1",
                "blacklisted_now": "2",
                "blacklisted_on": [
                    {"rbl": "b.barracudacentral.org", "delist": "https://lists.example/removal"},
                    {"rbl": "bl.nszones.com", "delist": None},
                ],
                "links": {"report_link": "https://monitor.example/r"},
            },
            {"monitor": "shop.example", "blacklisted_now": 0, "blacklisted_on": None},
        ]
    ],
    "listings": [
        [
            {
                "resource": "2001:db8::7",
                "zone": "zen.spamhaus.org",
                "status": "listed",
                "time": "2025-09-12T11:08:01Z",
                "codes": ["127.0.0.2", "127.0.0.10"],
                "weight": "minor",
                "meaning": "seen",
                "monitor": "probe-7",
            },
            {"resource": "shop.example", "zone": "multi.surbl.org", "codes": ["127.0.0.72"], "time": 1757675281},
            {"resource": "192.0.2.18", "zones": ["bl.example", "other.example"]},
        ],
        {"resource": "192.0.2.17", "zone": "bl.example", "status": "delisted"},
    ],
}

_DSN = fields("Reporting-MTA: dns; mx.example.net", "Arrival-Date: Mon, 3 Mar 2025 10:00:00 +0100")
_DSN_RECIPIENT = fields(
    "Final-Recipient: rfc822; iris@gmail.com",
    "Action: failed",
    "Status: 5.1.1",
    "Diagnostic-Code: smtp; 550 5.1.1 none",
)
_ARF = fields(
    "Feedback-Type: abuse",
    "User-Agent: Loop/1.0",
    "Version: 1",
    "Original-Rcpt-To: iris@gmail.com",
    "Arrival-Date: Mon, 3 Mar 2025 10:00:00 +0100",
    "Source-IP: 192.0.2.9",
)

#: Messages that are no JSON, by format.
TEXTS: dict[str, list[bytes]] = {
    "mailgun": [
        b"event=bounced&recipient=iris%40gmail.com&domain=mg.brightleaf.example&timestamp=1757675281"
        b"&code=5.1.1&error=550+5.1.1+none&Message-Id=%3C1%40mg%3E&tag=weekly",
        b'--b\r\nContent-Disposition: form-data; name="event"\r\n\r\ncomplained\r\n'
        b'--b\r\nContent-Disposition: form-data; name="domain"\r\n\r\nmg.brightleaf.example\r\n'
        b'--b\r\nContent-Disposition: form-data; name="timestamp"\r\n\r\n1757675281\r\n'
        b'--b\r\nContent-Disposition: form-data; name="recipient"\r\n\r\niris@gmail.com\r\n--b--\r\n',
    ],
    "mandrill": [("mandrill_events=" + quote_plus(json.dumps(DOCUMENTS["mandrill"][0]))).encode()],
    "arf": [report("feedback-report", _ARF)],
    "dsn": [report("delivery-status", _DSN + "\n" + _DSN_RECIPIENT)],
    "postfix": [
        b"2025-03-03T10:11:12.5+01:00 mx1 postfix/smtp[811]: 4XyQ1z3vBKzJrT: to=<iris@gmail.com>,"
        b" relay=mx.example.net[192.0.2.26]:25, delay=1.2, dsn=5.1.1, status=bounced (host said: 550 5.1.1 none)"
    ],
    "exim": [
        b"2025-03-03 10:11:12 1xXa37-0006E0-15 ** iris@gmail.com F=<b@brightleaf.example> T=smtp"
        b" H=mx.example.net [192.0.2.26]:25: SMTP error from remote mail server after RCPT TO:<i@b.c>: 550 5.1.1 none"
    ],
    "powermta": [
        b"type,timeLogged,orig,rcpt,dsnAction,dsnStatus,dsnDiag,bounceCat,dlvSourceIp,vmta,jobId\r\n"
        b"b,2025-03-03 10:11:12+0100,b@brightleaf.example,iris@gmail.com,failed,5.1.1 (bad),smtp;550 5.1.1 none,"
        b"bad-mailbox,192.0.2.51,brightleaf,weekly\r\n"
    ],
}


def bodies(name: str) -> list[bytes]:
    """All good messages of a format."""
    return [json.dumps(each).encode() for each in DOCUMENTS.get(name, [])] + TEXTS.get(name, [])
