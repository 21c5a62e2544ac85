"""What stands in a diagnostic: codes, the host that answered, and its wording without what differs each time. Pure."""

import re

#: What is looked at of a diagnostic, in characters; servers put the reason first.
MAX_TEXT = 1000
#: Words remembered that stay as they are; senders of junk can write any number of them.
MOST_WORDS = 100_000

# No quantifier stands inside another, and each is asked at the begin of a word only: linear time.
_ADDRESS = re.compile(r"(?<![^<>@\"'(])[^<>@\"'(]{1,64}@[^<>\"')]+")
_VARIABLE = re.compile(
    r"\b(?:"
    r"(?:[a-z]\d{1,3}-)?(?=[a-z]*\d)[0-9a-z]{9,}(?:\.\d{1,4})?"  # queue and session ids, the most frequent
    r"|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"  # IPv4
    r"|\d{4}-\d\d-\d\dt\d[\d:]*(?:\.\d{1,9})?z?"  # RFC 3339
    r"|[0-9a-f]{1,4}:[0-9a-f]{0,4}:[0-9a-f:]+"  # IPv6, times of day
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+"  # UUIDs
    r"|(?=[a-z-]*\d)[0-9a-z]{6}-[0-9a-z]{6,11}-[0-9a-z]{2,4}\b"  # ids of Exim
    r"|[a-z]{0,6}\d\w{8,}"
    r"|[0-9a-f]{12,}\b"
    r")|\d{4,}"
)
_CODE = re.compile(r"(?:^|[\s'\":<(])([45]\d\d)(?:[ -]|$)")
_STATUS = re.compile(r"(?:^|[\s#('\":-])([45]\.\d{1,3}\.\d{1,3})\b")
#: `host mx.example[192.0.2.1] said` (Postfix, Exim), `the host` before a name elsewhere, `Remote Server at mx.example`.
_HOST = re.compile(r"\b(?:host|server|server at|domain) ([a-z0-9.#-]{1,253}\.[a-z]{2,})\b")

#: What Google and Exchange write before they quote the host that refused; their own words mislead.
_QUOTING = (
    "the error that the other server returned was: ",
    "the response from the remote server was: ",
    "the response was: ",
    "remote server returned '",
)
#: What an IronPort writes before the reply that it quotes. Its words go by the code alone, the quoted ones by the
#: reason: `5.1.0 - Unknown address error 550-'5.7.1 Access denied'`.
_ENCLOSING = re.compile(
    r"\b5\.\d\.\d - (?:unknown address error|other mail system problem|other address status|delivery not authorized"
    r"|bad destination email address) (?=[45]\d\d-')"
)
#: Characters around an address in which nothing else that varies has room.
_SHORT = 6
#: Characters that a quoted reply must have to say anything.
_SHORTEST = 8


#: The first line of a reply of several (RFC 5321 section 4.2.1), whose code and status come again in each.
_SEVERAL = re.compile(r"(?:^|[\s:'\"(<])([45]\d\d)-(?:([45]\.\d{1,3}\.\d{1,3}) )?")


class _Words(dict[str, str]):
    """A word as it stands in a wording: in lower case, with `#` for what differs from bounce to bounce.

    Only words that stay as they are in lower case are kept: the others hardly come again.
    """

    def __missing__(self, word: str) -> str:
        lower = word.lower()
        if "@" in lower:
            masked = _ADDRESS.sub("#", lower)
            if len(masked) > _SHORT:
                masked = _VARIABLE.sub("#", masked)
        elif lower.isalpha():
            masked = lower
        else:
            # Of a host only the first label differs, and nothing variable reaches over a dot into a letter: where the
            # rest is known, half of the word need not be looked through.
            head, dot, rest = lower.partition(".")
            host = bool(rest) and not rest[0].isdigit()
            if host and rest in self:
                masked = _VARIABLE.sub("#", head) + dot + rest
            else:
                masked = _VARIABLE.sub("#", lower)
                if host and masked.endswith(rest):
                    self._keep(rest)
        if masked == lower:
            self._keep(word, masked)
        return masked

    def _keep(self, word: str, masked: str = "") -> None:
        if len(self) >= MOST_WORDS:
            self.clear()
        self[word] = masked or word


_masked_word = _Words().__getitem__


def mask(diagnostic: str) -> str:
    """The diagnostic in lower case, cut to `MAX_TEXT`, with all that differs from bounce to bounce as `#`."""
    return one_line(" ".join(map(_masked_word, diagnostic[:MAX_TEXT].split())))


def one_line(text: str) -> str:
    """A reply of several lines as one: phrases go on from line to line, past the code that each begins with."""
    found = _SEVERAL.search(text) if "-" in text else None
    if found is None:
        return text
    code, status = found.groups()
    begin, rest = text[: found.end()], text[found.end() :]
    if status:
        rest = rest.replace(f" {code}-{status} ", " ").replace(f" {code} {status} ", " ")
    return begin + rest.replace(f" {code}-", " ").replace(f" {code} ", " ")


def code_in(text: str) -> str:
    """The first reply code (RFC 5321 section 4.2) of a failure, at the start or after what quotes it; else empty."""
    found = _CODE.search(text)
    return found[1] if found else ""


def status_in(text: str) -> str:
    """The first enhanced status code (RFC 3463 section 2) of a failure, likewise."""
    found = _STATUS.search(text)
    return found[1] if found else ""


def hosts_in(text: str) -> list[str]:
    """The hosts that a sending server names as those that answered, in a masked diagnostic."""
    return _HOST.findall(text)


def quoted_in(text: str) -> str:
    """The reply that a report quotes, in a masked diagnostic; the whole text where it quotes none."""
    for words in _QUOTING:
        _, _, quoted = text.partition(words)
        if len(quoted) >= _SHORTEST:
            return quoted
    return text


def enclosed_in(text: str) -> str:
    """The reply that an IronPort quotes, in a masked diagnostic, if that has a status of its own; else empty."""
    found = _ENCLOSING.search(text)
    reply = text[found.end() :] if found else ""
    return reply if status_in(reply) else ""
