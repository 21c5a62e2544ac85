"""What Apprise sends as mail is the text that was given, whatever stands in it."""

from email import message_from_bytes
from email.policy import SMTP
from typing import Any

from aiosmtpd.controller import Controller

from jobs.notify.targets.target import senders
from schemas.notify import Chat
from schemas.times import utc_now_ms
from tests.support.real_kafka import free_ports
from tests.support.told import a_route, parcel_of, told


class MailTaker:
    """Keeps the mails that it is given."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(envelope.content)
        return "250 taken"


def test_names_in_angle_brackets_and_ends_of_lines_are_kept_in_mail() -> None:
    (port,) = free_ports(1)
    taker = MailTaker()
    controller = Controller(taker, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        target = Chat(url=f"mailto://127.0.0.1:{port}?from=repmon@esp.example&to=ops@esp.example")
        event = told(customer="<acme> & sons")
        sender = senders([a_route(target=target, allow_private=True, timeout_s=10.0)])["hook"]
        assert sender.send(parcel_of(event), [event], utc_now_ms()).result == "taken"
    finally:
        controller.stop()
    (mail,) = (message_from_bytes(each, policy=SMTP) for each in taker.mails)
    text = mail.get_body(("plain",))
    assert text is not None
    assert "<acme> & sons" in text.get_content()
    assert len(text.get_content().splitlines()) > 1
