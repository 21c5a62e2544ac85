"""A mail to the customer: what was done, why, and what to do; and that it is over.

SMTP cannot tell whether a mail was taken where the answer is lost, so a mail may come twice. Its Message-ID is the same
then, by which most mailboxes keep one of them.
"""

import smtplib
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses

from jobs.hooks.targets.base import Done, Order, TargetError, one_line
from schemas.errors import InvalidInputError
from schemas.hook import HookAction
from streams.io.mail_server import open_session
from streams.io.whole_time import within

#: Replies of a server that takes an address (RFC 5321 section 4.2.2).
OK = 250
TAKEN = frozenset({OK, 251})
#: A mail to be sent to an address; without one there is nobody to tell.
Build = Callable[[Order], tuple[str, EmailMessage]]
NOBODY = "nobody was told: the list of customers has no address (`repmon customers set --contact`)"


class MailTarget:
    """Mails through one server. `build` makes the mail of an order; `clock` gives epoch s."""

    forgets = False

    def __init__(self, name: str, action: HookAction, password: str, build: Build, clock: Callable[[], float]) -> None:
        self._name, self._action, self._password, self._build, self._clock = name, action, password, build, clock

    def shown(self, order: Order) -> str:
        """To whom, and the subject."""
        to, mail = self._made(order)
        return f"mail to {to}: {one_line(str(mail['Subject']))}" if to else NOBODY

    def apply(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Tell what was done."""
        return self._send(order)

    def lift(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Tell that it is over."""
        return self._send(order)

    def renew(self, order: Order, ref: Mapping[str, str]) -> Done | None:
        """A mail is sent once."""
        return None

    def clear(self, tags: Iterable[str]) -> list[str]:
        """A mail is not taken back."""
        return []

    def _send(self, order: Order) -> Done:
        to, mail = self._made(order)
        if not to:
            return Done(said=NOBODY)
        ((_, sender),) = getaddresses([self._action.sender])
        headers = {
            "From": self._action.sender,
            "To": to,
            "Reply-To": self._action.reply_to,
            "Date": formatdate(self._clock()),
            "Message-ID": f"<{order.id}@{sender.rpartition('@')[2]}>",
        }
        for name, value in headers.items():
            del mail[name]
            if value:
                mail[name] = value
        try:
            server = self._open()
            try:
                with within(self._action.timeout_s) as whole:
                    whole.watch(server)
                    said = self._given(server, sender, [to, *filter(None, [self._action.bcc])], mail)
            finally:
                with suppress(smtplib.SMTPException, OSError), within(self._action.timeout_s) as whole:
                    whole.watch(server)
                    server.quit()
        except (smtplib.SMTPException, OSError, ValueError) as error:  # an address may be none that the server takes
            raise TargetError(f"{self._name}: {self._action.host}:{self._action.port}: {_cause(error)}") from error
        return Done(said=one_line(f"told {to}: {said}"))

    def _made(self, order: Order) -> tuple[str, EmailMessage]:
        try:
            return self._build(order)
        except InvalidInputError as error:  # a template that fails with these facts, though not with others
            raise TargetError(f"{self._name}: {error}") from error

    def _open(self) -> smtplib.SMTP:
        action = self._action
        context = ssl.create_default_context(cafile=action.ca_file or None)
        login = action.user, self._password
        return open_session(action.host, action.port, action.host, action.tls, context, login, action.timeout_s)

    def _given(self, server: smtplib.SMTP, sender: str, to: list[str], mail: EmailMessage) -> str:
        """Like `sendmail`, which keeps the server's answer to itself. The first of `to` is the customer."""
        server.ehlo_or_helo_if_needed()
        customer, *copies = to
        code, answer = server.mail(sender)
        if code == OK:
            code, answer = server.rcpt(customer)
        refused = ""
        for each in copies if code in TAKEN else ():
            copied, why = server.rcpt(each)
            # Whoever gets a copy, it is the customer who must know.
            refused = "" if copied in TAKEN else f" (no copy to {each}: {copied} {why.decode('utf-8', 'replace')})"
        if code in TAKEN:
            code, answer = server.data(mail.as_bytes(policy=SMTP))
        if code not in TAKEN:
            raise smtplib.SMTPResponseException(code, answer)
        return f"{code} {answer.decode('utf-8', 'replace')}{refused}"


def _cause(error: BaseException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
        return one_line(f"{error.smtp_code} {text}")
    if isinstance(error, TimeoutError):
        return "no whole answer in time"
    return one_line(str(error)) or type(error).__name__
