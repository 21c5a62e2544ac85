"""Mail by SMTP (RFC 5321): one to each recipient, with a Message-ID that stays, so that a repeat can be told."""

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal

from jobs.notify.addresses import CheckedHost, NotFoundError, NotPublicError, look_up
from jobs.notify.events import Event
from jobs.notify.notification import Outcome, Parcel
from jobs.notify.posting import MOST_SHOWN
from jobs.notify.routing import digest_id
from jobs.notify.targets.sending import secret
from jobs.notify.templates import Words
from schemas.notify import Email, Route
from schemas.times import utc_time
from schemas.wording import on_one_line
from streams.io.mail_server import open_session
from streams.io.whole_time import within

#: Replies that are for good (RFC 5321 section 4.2.1); what else begins with a number is none.
FOR_GOOD = range(500, 600)


class MailSender:
    """Sends mail through one server.

    Raises:
        NotifyError: the password or the template cannot be used.
        OSError: `ca_file` cannot be used.
    """

    def __init__(self, target: Email, route: Route) -> None:
        self._target = target
        self._route = route
        self._password = secret(target.password, target.password_file, "password_file")
        self._words = Words(target.subject, target.text_file)
        self._tls = ssl.create_default_context(cafile=target.ca_file or None)

    def send(self, parcel: Parcel, events: Sequence[Event], now_ms: int) -> Outcome:
        """Send it to those who have it not yet. What is refused for one is no reason not to ask for the others."""
        done: list[str] = []
        refused: list[str] = []
        try:
            place = look_up(self._target.host, self._target.port, allow_private=self._route.allow_private)
            with self._connected(place) as client:
                for recipient in self._target.to:
                    if recipient in parcel.first.done:
                        continue
                    try:
                        with within(self._route.timeout_s) as whole:
                            whole.watch(client)
                            client.send_message(self.message(parcel.id, recipient, events, now_ms))
                        done.append(recipient)
                    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
                        code, reply = _reply(error, recipient)
                        refused.append(f"{recipient}: {code} {_line(reply)}")
                        if code in FOR_GOOD:
                            done.append(recipient)
        except NotPublicError as error:
            return Outcome(result="never", said=str(error), done=tuple(done))
        except NotFoundError as error:
            return Outcome(result="later", said=str(error), done=tuple(done))
        except (smtplib.SMTPException, OSError) as error:
            # After a 421 the connection is over, and the reply says why.
            said = "; ".join(refused) or _said(error)
            return Outcome(result=_later_or_never(error), said=said, done=tuple(done))
        missing = set(self._target.to) - {*parcel.first.done, *done}
        said = "; ".join(refused) or f"taken for {', '.join(self._target.to)}"
        if missing:
            return Outcome(result="later", said=said, done=tuple(done))
        return Outcome(result="never" if refused else "taken", said=said, done=tuple(done))

    def message(self, message_id: str, recipient: str, events: Sequence[Event], now_ms: int) -> EmailMessage:
        """The mail to one recipient."""
        message = EmailMessage(policy=SMTP)
        domain = self._target.sender.rpartition("@")[2]
        message["From"] = Address(addr_spec=self._target.sender)
        message["To"] = Address(addr_spec=recipient)
        message["Subject"] = self._words.subject(events)
        message["Date"] = format_datetime(utc_time(now_ms))
        message["Message-ID"] = f"<{digest_id([message_id, recipient])}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine is to answer
        message.set_content(self._words.text(events))
        return message

    @contextmanager
    def _connected(self, place: CheckedHost) -> Iterator[smtplib.SMTP]:
        """A session that is ended in the end: what the server says to that changes nothing of what it took."""
        client = self._open(place)
        try:
            yield client
        finally:
            with suppress(smtplib.SMTPException, OSError), within(self._route.timeout_s) as whole:
                whole.watch(client)
                client.quit()
            client.close()

    def _open(self, place: CheckedHost) -> smtplib.SMTP:
        """Logged in, at the first of the addresses that can be reached: a host without IPv6 cannot reach each."""
        *others, last = place.addresses
        for address in others:
            try:
                return self._connected_to(place.host, address)
            except (smtplib.SMTPException, ssl.SSLError):
                raise
            except OSError:
                continue
        return self._connected_to(place.host, last)

    def _connected_to(self, host: str, address: str) -> smtplib.SMTP:
        """The connection goes to the address that was checked."""
        target, login = self._target, (self._target.user, self._password)
        return open_session(host, target.port, address, target.tls, self._tls, login, self._route.timeout_s)


def _reply(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError, recipient: str) -> tuple[int, bytes | str]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reply = error.recipients[recipient]
        return code, reply
    return error.smtp_code, error.smtp_error


def _later_or_never(error: Exception) -> Literal["later", "never"]:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "never"
    if isinstance(error, smtplib.SMTPConnectError | smtplib.SMTPHeloError | smtplib.SMTPAuthenticationError):
        return (
            "later"  # nothing of this mail: somebody has to mend the server or the password, nothing is lost meanwhile
        )
    if isinstance(error, smtplib.SMTPResponseException) and isinstance(error.smtp_error, bytes):
        return "never" if error.smtp_code in FOR_GOOD else "later"
    # Text in place of bytes is smtplib's own: a line that is too long has the code 500.
    return "later"


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_line(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPSenderRefused):
        return f"{error.smtp_code} {_line(error.smtp_error)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return _line(str(getattr(error, "strerror", None) or error)) or type(error).__name__


def _line(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = " ".join(text.split())
    return on_one_line(text)[:MOST_SHOWN]
