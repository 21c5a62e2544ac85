"""What the text part of a bounce mail says of each recipient, which is where many hosts alone put the reply.

Each line is looked at once, whatever the number of recipients. What stands between two recipients is said of the first,
so that nobody is given the reply to another; what names nobody is only given to a recipient who is alone in the mail.
"""

import html
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from streams.adapt.mime import Headers, MimePart, read_part

#: What is looked through: reasons stand at the beginning.
MAX_TEXT = 50_000
MAX_LINES = 2_000
MAX_LINE = 2_000
MAX_DIAGNOSTIC = 2_000
#: Lines that may belong to one recipient: a reply has several. And places where it is looked for.
MAX_SAID = 30
MAX_PLACES = 10

ADDRESS = re.compile(
    r"(?:\"[^\"\n]{1,64}\"|[^\s<>()\[\]\"',;:@*|\u3001\u3002\u300c-\u3011\uff08\uff09\uff0c\uff1a\uff1b]{1,64})@(?:[\w-]{1,63}(?:\.[\w-]{1,63}){0,10}|\[[\d.]{7,15}\])"
)
_MAIL = r"(?:message|e-?mail|mail)"
_RETURNED = rf"(?:original|returned|unsent|undelivered|bounced) {_MAIL}"
#: The line above the returned mail.
_COPY = re.compile(
    rf"^(?:[ \t#>]{{0,20}}[-|*_=]{{2,80}} {{0,3}}(?:this is a copy|below this line|(?:the )?{_RETURNED}(?! was)"
    rf"|message text|(?:the )?(?:body|header|text|top)s?(?: and [a-z0-9 ]{{1,30}})? of (?:the|your) )"
    rf"|[ \t]{{0,20}}(?:below (?:this line )?is a copy of"
    rf"|{_RETURNED}(?: info| headers?| body| text)*(?: follows?\.?)? ?:?$"
    rf"|{_RETURNED} follows|message headers follow|included is a copy of|here is a copy of"
    rf"|(?:the )?headers? of the original {_MAIL}|bounced {_MAIL}"
    rf"|a copy of (?:the|your) (?:original )?{_MAIL}))[^\n]{{0,120}}$",
    re.IGNORECASE | re.MULTILINE,
)
#: Without such a line: the first header fields of a returned mail after an empty line.
_TRACE = re.compile(r"\n\n(?=(?:Return-Path|Received|DKIM-Signature|Message-ID)[ \t]*:)", re.IGNORECASE)
#: Fields of RFC 3464, for programs, in a text.
_FIELDS = re.compile(r"^(?:Reporting-MTA|Final-Recipient|Original-Recipient)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_MACHINES = ("delivery-status", "disposition-notification", "feedback-report")
_TAG = re.compile(r"<(?![^<>\s]{1,64}@)[^<>]{0,2000}>")
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/h\d|/li)\b[^<>]{0,200}>", re.IGNORECASE)
#: A reply code of a failure with what may stand before it, then a status, or text.
#: Telephone numbers are none.
REPLY = re.compile(
    r"(?:^|[\s:;(\[\"'=>/])([45]\d\d)(?!-\d{3}-\d)(?:[ -]|\]|[:;,](?: |(?=#?[45]\.)))(?=[ #\"'<(\[-]{0,9}\w)"
    r"|(?:^|[\s#(:])([45]\.\d{1,3}\.\d{1,3})\b"
)
#: Lines that begin something else, or that say nothing.
_RULE = re.compile(r"^[ \t]*[-=_*#|]{3,}|^--\S{8,}$")
_EMPTY_REASON = re.compile(r"^\(?(?:reason|expanded from)\b:?[ )]*$|^\(?(?:expanded|generated) from", re.IGNORECASE)
#: Lines of a transcript of sendmail that are whole, after which another such line is about something else.
_REPLIES = re.compile(r"(?:<<< )?[245]\d\d [^\n]*\.\.\.")
_OF_OTHERS = re.compile(r"[245]\d\d \S+ \(|[245]\d\d <|(?:\.\.\. )?while talking to", re.IGNORECASE)
#: sendmail, of several recipients at one host: `<iris@shop.example>,<juno@shop.example>... Deferred: 451 try later`.
_OF_SEVERAL = re.compile(
    r"\s*((?:[245]\d\d (?:[245]\.\d{1,3}\.\d{1,3} )?)?)(?:<?[^<>\s,]{1,320}>?,){1,200}<?[^<>\s,]{1,320}>?\.\.\. "
)
#: What sendmail says of a program that ended badly; what the program said stands above.
_OF_A_PROGRAM = re.compile(
    r"\.\.\. (?:service unavailable|unknown mailer error \d{1,5}|can't create output|i/o error)\Z", re.IGNORECASE
)
#: What stands around the address in its line.
_BEFORE = re.compile(r"^[\s<\"'*>:.|-]*$")
_AFTER = re.compile(r"^(?:<mailto:[^>]{0,300}>)?[>\"')\]]*[\s:.,;-]*")


@dataclass(frozen=True, slots=True)
class NoticeText:
    """The lines of a notification's text, without the returned mail; the addresses in each (lower case, with begin and
    end); in which lines an address is; the header fields of the returned mail, where it is in the text; and whether
    there is more text than is looked through.
    """

    lines: Sequence[str]
    addresses: Sequence[Sequence[tuple[str, int, int]]]
    named: dict[str, list[int]]
    returned: Headers
    cut: bool = False
    #: What was found for the addresses of a recipient, of which some send thousands that are alike.
    _said: dict[Set[str], str] = field(default_factory=dict)

    def of(self, own: Set[str], recipients: Set[str], *, guess: bool = True) -> str:
        """What is said of a recipient, by any of its `own` addresses; empty where nothing is. `recipients` are the
        addresses of all whom the mail is about. All in lower case.

        Of several places one with a reply is preferred, else the longest text. What names nobody is said of a recipient
        besides whom there is no other: a reply, or with `guess` the paragraph that most likely gives the reason.
        """
        known = frozenset(each for each in own if each in self.named)
        said = self._said.get(known)
        if said is None:
            said = self._said[known] = self._best(known, recipients)
        if recipients <= own:
            found = said if REPLY.search(said) else self._reply()
            said = found or said or (self._rest() if guess else "")
        return said[:MAX_DIAGNOSTIC]

    def _best(self, own: Set[str], recipients: Set[str]) -> str:
        places = {place for each in own for place in self.named[each][:MAX_PLACES]}
        said = [text for place in sorted(places)[:MAX_PLACES] if (text := self._at(place, own, recipients))]
        return next((each for each in said if REPLY.search(each)), "") or max(said, key=len, default="")

    def _at(self, place: int, own: Set[str], recipients: Set[str]) -> str:
        """The rest of a line that names an address, and the lines that belong to it."""
        line = self.lines[place]
        several = _OF_SEVERAL.match(line)
        if several is None and self._names_another(place, own, recipients):
            return ""
        _, start, end = self.addresses[place][0]
        # A transcript has the reply first: `550 5.1.1 <iris@shop.example>... User unknown`.
        rest = _AFTER.sub("", line[end:]) if several is None else line[several.end() :]
        begins = bool(_BEFORE.match(line[:start]))
        first = f"{several[1]}{rest}" if several is not None else rest if begins else line.strip()
        taken = [first] if first and not _EMPTY_REASON.match(first) else []
        # `There was an error delivering your mail to <iris@shop.example>.`: the reason stands below.
        heading = not rest and not REPLY.search(first)
        for number in range(place + 1, min(place + MAX_SAID, len(self.lines))):
            line = self.lines[number]
            text = line.strip()
            if _RULE.match(line) or (text and self._names_another(number, own, recipients)):
                break
            if not text:
                # An empty line ends it, but one that stands between the address, or a heading, and the reason.
                goes_on = not taken or taken[-1].endswith(":") or (heading and len(taken) == 1 and not begins)
                if not goes_on or number > place + 8:
                    break
                continue
            if taken and (text.startswith(">>>") or (_REPLIES.match(taken[-1]) and _OF_OTHERS.match(text))):
                break
            if not _EMPTY_REASON.match(text):
                taken.append(text.removeprefix("<<< "))
        if not taken or (heading and not begins and len(taken) == 1):
            taken = [*self._above(place, own, recipients), *taken]
        elif _OF_A_PROGRAM.search(" ".join(taken)):
            above = self._above(place, own, recipients)
            taken += [] if any(map(REPLY.search, above)) else above
        said = " ".join(" ".join(taken).split())
        return said[9:-1] if said.startswith("(reason: ") and said.endswith(")") else said

    def _above(self, place: int, own: Set[str], recipients: Set[str]) -> list[str]:
        """The lines of the paragraph before one after which nothing is said: the reason may come first."""
        taken: list[str] = []
        for number in range(place - 1, max(place - MAX_SAID, -1), -1):
            line = self.lines[number]
            if self._names_another(number, own, recipients):
                return []
            if not line.strip() or line.rstrip().endswith(":") or _RULE.match(line):
                break
            taken.insert(0, line.strip())
        return taken

    def _names_another(self, number: int, own: Set[str], recipients: Set[str]) -> bool:
        """Whether a line names another recipient, or begins with another address."""
        named = self.addresses[number]
        if not recipients.isdisjoint(each for each, _, _ in named if each not in own):
            return True
        return bool(named) and named[0][0] not in own and bool(_BEFORE.match(self.lines[number][: named[0][1]]))

    def _reply(self) -> str:
        """The paragraph with the first reply, from the line that has it."""
        for number, line in enumerate(self.lines):
            if REPLY.search(line) and not line.lstrip().startswith(">>>"):
                taken = [line]
                for other in self.lines[number + 1 : number + MAX_SAID]:
                    if not other.strip() or _RULE.match(other) or other.startswith(">>>"):
                        break
                    taken.append(other)
                return " ".join(" ".join(taken).removeprefix("<<< ").split())
        return ""

    def _rest(self) -> str:
        """The paragraph in which mail hosts put the reason: an indented one, else the first after the greeting."""
        paragraphs: list[list[str]] = [[]]
        for line in self.lines:
            if not line.strip() or _RULE.match(line):
                paragraphs.append([])
            else:
                paragraphs[-1].append(line)
        told = [each for each in paragraphs if each and not _only_address(each)]
        chosen = max(told[1:], key=lambda each: each[0].startswith(("  ", "\t")), default=told[0] if told else [])
        return " ".join(" ".join(chosen).split())


def _only_address(paragraph: Sequence[str]) -> bool:
    left = ADDRESS.sub("", " ".join(paragraph)).strip(" \t<>:\"'*-.,")
    return not left


def notice_text(mail: MimePart, parts: Sequence[MimePart]) -> NoticeText:
    """The text of a notification: its first part of plain text that says something, else of HTML, else all of it.

    Raises:
        AdaptError: the header fields of a mail that it quotes are too large.
    """
    plain = [part for part in parts if part.content_type == "text/plain"]
    said = next((text for part in plain if (text := part.text()).strip()), "")
    markup = next((part for part in parts if part.content_type == "text/html"), None)
    if not said and markup is not None:
        said = _without_tags(markup.text())
    told_otherwise = plain or any(part.content_type.endswith(_MACHINES) for part in parts)
    return split_text(said if said or told_otherwise else mail.text())


def split_text(text: str) -> NoticeText:
    """The lines of a text up to the returned mail.

    Raises:
        AdaptError: the header fields of the returned mail are too large.
    """
    begins = _COPY.search(text) or _TRACE.search(text)
    fields = _FIELDS.search(text, 0, begins.start() if begins else len(text))
    said = text[: fields.start()] if fields else text[: begins.start()] if begins else text
    returned = text[begins.end() :].lstrip("\n -=_") if begins else ""
    whole = said[:MAX_TEXT].splitlines()
    lines = [line.rstrip()[:MAX_LINE] for line in whole[:MAX_LINES]]
    found = [[(each[0].lower(), each.start(), each.end()) for each in ADDRESS.finditer(line)] for line in lines]
    named: dict[str, list[int]] = {}
    for number, line_has in enumerate(found):
        for address in dict.fromkeys(each for each, _, _ in line_has):
            named.setdefault(address, []).append(number)
    headers = read_part(returned[:MAX_TEXT].encode()).headers if returned else Headers()
    return NoticeText(lines, found, named, headers, cut=len(said) > MAX_TEXT or len(whole) > MAX_LINES)


def _without_tags(text: str) -> str:
    text = text[: 4 * MAX_TEXT]
    body = text.lower().find("<body")
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", text[max(body, 0) :])))
