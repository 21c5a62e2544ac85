"""Amazon SES events, by themselves and in their envelopes."""

import json
from base64 import b64encode
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.apart import read_apart
from streams.adapt.webhook import moment_ms
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
MAIL: dict[str, Any] = {
    "timestamp": "2025-09-12T11:07:58.120Z",
    "source": "Brightleaf <news@brightleaf.example>",
    "sourceIp": "198.51.100.7",
    "sendingAccountId": "444455556666",
    "messageId": "0100-aa-000000",
    "destination": ["iris@gmail.com", "oskar@yahoo.com"],
    "tags": {"customer": ["brightleaf"], "ses:outgoing-ip": ["192.0.2.61"], "campaign": ["weekly"]},
}
BOUNCE: dict[str, Any] = {
    "eventType": "Bounce",
    "mail": MAIL,
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": "iris@gmail.com",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 no such account",
            }
        ],
        "timestamp": "2025-09-12T11:08:01.440Z",
        "feedbackId": "0100-ff-000000",
    },
}
DELIVERY: dict[str, Any] = {
    "eventType": "Delivery",
    "mail": MAIL,
    "delivery": {
        "timestamp": "2025-09-12T11:08:01.440Z",
        "recipients": ["iris@gmail.com", "oskar@yahoo.com"],
        "smtpResponse": "250 2.6.0 Message received",
    },
}
COMPLAINT: dict[str, Any] = {
    "eventType": "Complaint",
    "mail": MAIL,
    "complaint": {
        "complainedRecipients": [{"emailAddress": "oskar@yahoo.com"}],
        "complaintFeedbackType": "abuse",
        "timestamp": "2025-09-12T12:00:00.000Z",
        "feedbackId": "0100-cc-000000",
    },
}


def adapt(body: object, options: FormatOptions | None = None) -> list[MailEvent]:
    mapping = {} if options is None else {"ses": options}
    return adapter("ses")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def bounce(sub_type: str, kind: str = "Permanent", **recipient: str) -> dict[str, Any]:
    named = [{"emailAddress": "iris@gmail.com"} | recipient]
    changed = BOUNCE["bounce"] | {"bounceType": kind, "bounceSubType": sub_type, "bouncedRecipients": named}
    return BOUNCE | {"bounce": changed}


def in_sns(event: object, **changes: Any) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": "arn:aws:sns:eu-west-1:444455556666:mail",
        "Message": json.dumps(event),
        "Timestamp": "2025-09-12T11:08:02.000Z",
    } | changes


def in_eventbridge(event: object) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "b-1",
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "time": "2025-09-12T11:08:02Z",
        "detail": event,
    }


def test_bounce_with_all_its_fields() -> None:
    (event,) = adapt(BOUNCE)
    assert (event.type, event.time_ms) == ("bounced", 1757675281440)
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "default", "weekly")
    assert event.message_id == "0100-aa-000000"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert (event.sending_ip, event.from_domain) == ("192.0.2.61", "brightleaf.example")
    assert (event.smtp_code, event.enhanced_status) == (550, "5.1.1")
    assert event.diagnostic == "smtp; 550 5.1.1 no such account"


@pytest.mark.parametrize(
    "envelope",
    [
        in_sns(BOUNCE),
        in_sns(in_eventbridge(BOUNCE)),
        in_eventbridge(BOUNCE),
        [BOUNCE],
        in_sns({**BOUNCE, "eventType": None, "notificationType": "Bounce"}),
    ],
)
def test_every_envelope_gives_the_same_event(envelope: object) -> None:
    assert adapt(envelope) == adapt(BOUNCE)


def firehose(*events: object) -> dict[str, Any]:
    """A request to an HTTP endpoint, whose records may hold several events."""
    joined = b"".join(json.dumps(each).encode() for each in events)
    data = [joined, b"\n".join(json.dumps(each).encode() for each in events) + b"\n"]
    records = [{"data": b64encode(each).decode()} for each in data]
    return {"requestId": "r-1", "timestamp": 1757675282000, "records": records}


@pytest.mark.parametrize(
    ("body", "times"),
    [
        (firehose(BOUNCE), 2),
        (firehose(BOUNCE, in_eventbridge(BOUNCE)), 4),
        ({"Records": [{"EventSource": "aws:sns", "Sns": in_sns(BOUNCE)}]}, 1),
        ({"Records": [{"eventSource": "aws:sqs", "body": json.dumps(in_sns(BOUNCE))}]}, 1),
        ({"Records": [{"eventSource": "aws:sqs", "body": json.dumps(BOUNCE)}, {"body": json.dumps(BOUNCE)}]}, 2),
        ({"Records": [{"kinesis": {"data": b64encode(json.dumps(BOUNCE).encode()).decode()}}]}, 1),
        ({"Messages": [{"MessageId": "q-1", "Body": json.dumps(in_sns(in_eventbridge(BOUNCE)))}]}, 1),
        ({"Records": [{"eventSource": "aws:ses", "ses": {"mail": MAIL, "receipt": {}}}]}, 0),
    ],
    ids=["firehose", "firehose-eventbridge", "lambda", "lambda-sqs", "lambda-raw", "kinesis", "sqs", "mail-in"],
)
def test_what_holds_several_gives_the_events_in_it(body: object, times: int) -> None:
    assert adapt(body) == adapt(BOUNCE) * times


def test_unreadable_record_of_a_bundle_is_named_and_costs_itself_alone() -> None:
    body = firehose(BOUNCE, DELIVERY)
    body["records"] += [{"data": "no base64"}, {"data": b64encode(b'{"eventType": "Bou').decode()}]
    raw, context = json.dumps(body).encode(), Context(b"a key", PROVIDERS)
    with pytest.raises(AdaptError, match=r"^record 6: "):
        adapter("ses")(raw, context)
    found = read_apart(adapter("ses"), raw, context, lambda _: None)
    assert found is not None
    assert [event.type for event in found.events] == ["bounced", "delivered", "delivered"] * 2
    assert found.reason.startswith("record 5: neither an event of SES")
    assert "record 6: the message is not JSON" in found.reason
    assert found.rest == b'{"data":"no base64"}\n{"eventType": "Bou'


def test_what_ses_writes_to_try_a_topic_is_no_event() -> None:
    said = b"Successfully validated SNS topic for Amazon SES event publishing."
    context = Context(b"a key", PROVIDERS)
    assert adapter("ses")(said, context) == []
    assert adapt(in_sns(BOUNCE, Message=said.decode())) == []
    assert adapt({"Records": [{"body": said.decode()}, {"body": json.dumps(BOUNCE)}]}) == adapt(BOUNCE)


def test_tenant_may_be_the_customer() -> None:
    tagged = BOUNCE | {"mail": MAIL | {"tags": {"ses:tenant-name": ["larkspur"], "ses:configuration-set": ["bulk"]}}}
    (event,) = adapt(
        tagged, FormatOptions(customer="mail.tags.ses:tenant-name", stream="mail.tags.ses:configuration-set")
    )
    assert (event.customer, event.stream) == ("larkspur", "bulk")
    (event,) = adapt(tagged)
    assert event.customer == "444455556666"


def test_recipients_of_one_bounce_have_each_their_own_fate() -> None:
    named = [
        {"emailAddress": "iris@gmail.com", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 none"},
        {"emailAddress": "oskar@yahoo.com", "status": "4.4.7", "diagnosticCode": "smtp; 554 4.4.7 expired"},
    ]
    changed = BOUNCE["bounce"] | {"bounceType": "Transient", "bouncedRecipients": named}
    assert [event.type for event in adapt(BOUNCE | {"bounce": changed})] == ["bounced", "expired"]


def test_events_on_lines_as_firehose_writes_them() -> None:
    body = b"\n".join(json.dumps(each).encode() for each in (BOUNCE, DELIVERY))
    found = adapter("ses")(body, Context(b"a key", PROVIDERS))
    assert [event.type for event in found] == ["bounced", "delivered", "delivered"]


def test_bounce_of_several_recipients_gives_an_event_each_with_its_own_id() -> None:
    named = [{"emailAddress": "iris@gmail.com"}, {"emailAddress": "oskar@yahoo.com"}]
    both = adapt(BOUNCE | {"bounce": BOUNCE["bounce"] | {"bouncedRecipients": named}})
    assert [event.recipient_domain for event in both] == ["gmail.com", "yahoo.com"]
    assert len({event.id for event in both}) == 2
    assert len({event.recipient_hash for event in both}) == 2


def test_delivery_is_one_event_for_each_recipient() -> None:
    first, second = adapt(DELIVERY)
    assert (first.type, first.smtp_code, first.enhanced_status) == ("delivered", 250, "2.6.0")
    assert first.id != second.id
    assert second.provider == "yahoo"


@pytest.mark.parametrize(
    ("body", "bounce_class", "kind"),
    [
        (bounce("General"), "invalid_recipient", "hard"),
        (bounce("NoEmail"), "invalid_recipient", "hard"),
        (bounce("General", "Transient", action="failed"), "other", "soft"),
        (bounce("General", "Undetermined", diagnosticCode="smtp; no"), "other", "soft"),
        (bounce("MailboxFull", "Transient"), "quota", "soft"),
        (bounce("MessageTooLarge", "Transient"), "message_too_large", "soft"),
        (bounce("ContentRejected", "Transient"), "spam_content", "block"),
        (bounce("General", status="5.2.1", diagnosticCode="smtp; 550 5.2.1 disabled"), "inactive_mailbox", "hard"),
    ],
)
def test_class_is_that_of_ses_where_clear_and_of_the_reply_where_there_is_one(
    body: dict[str, Any], bounce_class: str, kind: str
) -> None:
    (event,) = adapt(body)
    verdict = load_bounce_classifier()(event)
    assert (event.type, verdict.bounce_class, verdict.kind) == ("bounced", bounce_class, kind)


@pytest.mark.parametrize("sub_type", ["Suppressed", "OnAccountSuppressionList", "onTenantSuppressionList"])
def test_bounce_of_a_suppressed_address_was_never_sent(sub_type: str) -> None:
    (event,) = adapt(bounce(sub_type))
    assert (event.type, event.bounce_class) == ("suppressed", "")


def test_complaint() -> None:
    (event,) = adapt(COMPLAINT)
    assert (event.type, event.feedback_type, event.provider) == ("complained", "abuse", "yahoo")
    assert event.time_ms == 1757678400000


def test_complaint_that_may_be_of_several_people_counts_once_at_their_provider() -> None:
    named = [{"emailAddress": "oskar@yahoo.com"}, {"emailAddress": "paul@yahoo.com"}]
    (event,) = adapt(COMPLAINT | {"complaint": COMPLAINT["complaint"] | {"complainedRecipients": named}})
    assert (event.recipient_hash, event.recipient_domain, event.provider) == ("", "yahoo.com", "yahoo")


def test_complaint_about_a_suppressed_address_is_none() -> None:
    changed = COMPLAINT["complaint"] | {"complaintSubType": "OnAccountSuppressionList"}
    (event,) = adapt(COMPLAINT | {"complaint": changed})
    assert (event.type, event.feedback_type) == ("suppressed", "")


def test_delay_is_a_deferral() -> None:
    delay = {
        "delayType": "MailboxFull",
        "timestamp": "2025-09-12T11:08:01.440Z",
        "delayedRecipients": [
            {"emailAddress": "iris@gmail.com", "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 full"}
        ],
    }
    (event,) = adapt({"eventType": "DeliveryDelay", "mail": MAIL, "deliveryDelay": delay})
    assert (event.type, event.smtp_code, event.enhanced_status) == ("deferred", 452, "4.2.2")


@pytest.mark.parametrize(
    "body",
    [
        {"eventType": "Reject", "mail": MAIL, "reject": {"reason": "Bad content"}},
        {"eventType": "Rendering Failure", "mail": MAIL, "failure": {"errorMessage": "Bad content"}},
    ],
)
def test_what_ses_refuses_is_rejected_for_each_recipient(body: dict[str, Any]) -> None:
    found = adapt(body)
    assert [(event.type, event.diagnostic) for event in found] == [("rejected", "Bad content")] * 2
    assert found[0].time_ms == 1757675278120
    published = adapt(in_sns(body))
    assert published[0].time_ms == 1757675282000
    assert published[0].id == found[0].id


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"unsubscribeAll": True}, 2),
        ({"unsubscribeAll": False, "topicSubscriptionStatus": [{"subscriptionStatus": "OptOut"}]}, 2),
        ({"unsubscribeAll": False, "topicSubscriptionStatus": [{"subscriptionStatus": "OptIn"}]}, 0),
    ],
)
def test_subscription_counts_where_it_is_an_opt_out(wanted: dict[str, Any], count: int) -> None:
    change = {"timestamp": "2025-09-12T11:08:01Z", "newTopicPreferences": wanted}
    found = adapt({"eventType": "Subscription", "mail": MAIL, "subscription": change})
    assert [event.type for event in found] == ["unsubscribed"] * count


@pytest.mark.parametrize(
    "body",
    [
        {"eventType": "Send", "mail": {}, "send": {}},
        {"eventType": "Open", "mail": {}},
        {"eventType": "Click", "mail": {}},
        in_sns({}, Type="SubscriptionConfirmation", Message="You have chosen to subscribe to the topic"),
        in_sns({}, Message="Successfully validated SNS topic for Amazon SES event publishing."),
        {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have subscribed"},
    ],
)
def test_what_tells_no_fate_is_left_out(body: object) -> None:
    assert adapt(body) == []


def test_customer_is_the_tag_then_the_account_or_where_the_option_says() -> None:
    untagged = BOUNCE | {"mail": {key: value for key, value in MAIL.items() if key != "tags"}}
    assert adapt(untagged)[0].customer == "444455556666"
    headers = [{"name": "X-Account", "value": "larkspur"}]
    with_header = BOUNCE | {"mail": MAIL | {"headers": headers}}
    options = FormatOptions(customer="mail.headers.X-Account", stream="mail.tags.campaign")
    (event,) = adapt(with_header, options)
    assert (event.customer, event.stream) == ("larkspur", "weekly")
    assert adapt(BOUNCE, FormatOptions(customer="from_domain"))[0].customer == "brightleaf.example"
    assert adapt(BOUNCE, FormatOptions(customer="mail.tags.none", default_customer="house"))[0].customer == "house"
    with pytest.raises(AdaptError, match=r"^no customer at `mail\.tags\.none`, and no default"):
        adapt(BOUNCE, FormatOptions(customer="mail.tags.none"))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "^neither an event of SES nor a message of SNS"),
        ({"eventType": "Bounce"}, "^field `mail` is missing"),
        (BOUNCE | {"bounce": []}, "^field `bounce`: expected"),
        ({"eventType": "Bounce", "mail": BOUNCE["mail"]}, "^field `bounce` is missing"),
        (BOUNCE | {"bounce": BOUNCE["bounce"] | {"timestamp": "noon"}}, "^the time 'noon' is neither"),
        ([BOUNCE, {"eventType": "Bounce"}], "^record 2: field `mail` is missing"),
        (bounce("General") | {"mail": {"sendingAccountId": "1"}, "bounce": {}}, "^field `timestamp` is missing"),
    ],
)
def test_bad_message_is_a_clear_error(body: object, complaint: str) -> None:
    with pytest.raises(AdaptError, match=complaint):
        adapt(body)


def test_every_outcome_says_when_its_message_was_sent() -> None:
    (event,) = adapt(COMPLAINT)
    assert event.sent == moment_ms(MAIL["timestamp"], "timestamp")
    assert adapt(BOUNCE)[0].sent == event.sent


@pytest.mark.parametrize(
    ("source", "kind"), [("aws.ses", "Email Validation Result"), ("aws.events", "Scheduled Event"), ("aws.ses", "New")]
)
def test_other_events_of_eventbridge_say_nothing(source: str, kind: str) -> None:
    body = {
        "version": "0",
        "detail-type": kind,
        "source": source,
        "time": "2025-09-12T11:08:01Z",
        "detail": {"data": "{}"},
    }
    assert adapt(body) == []
