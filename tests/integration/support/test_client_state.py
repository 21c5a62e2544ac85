"""What a client says of itself once it was waited for in vain."""

from schemas.settings import Kafka
from tests.support.real_kafka import free_ports
from tests.support.truth import Sender
from tests.support.waiting import wait_for

WAITS = ("producer id WaitTransport", "mail.events[-1] led by -1: ")


def test_sender_that_does_not_reach_its_broker_says_so() -> None:
    (port,) = free_ports(1)
    sender = Sender(Kafka(bootstrap=f"127.0.0.1:{port}"), **{"statistics.interval.ms": 50})
    assert "no statistics yet" in sender.reported()

    def says() -> str:
        sender.send("mail.events", b"acme", b"{}")
        return sender.reported()

    wait_for(lambda: all(each in says() for each in WAITS), "what the client says of itself")
    assert f"127.0.0.1:{port}/bootstrap" in says()
    sender.give_up()
