"""Whether a report by mail is believed: who vouches for its reporter, and how many recipients it may report.

Anybody can write a mail to an address for reports. The host that takes the mails in checks their signatures and says so
in Authentication-Results (RFC 8601), under a name that the settings trust. That host must take out such fields as came
with the mail (section 5 there). DKIM counts where the signing domain and that of the From header are the same, or one
is above the other; DMARC says itself that they are.
"""

import re
from collections.abc import Iterator

from schemas.feedback_loops import load_feedback_loops
from streams.adapt.base import AdaptError, Context, FormatOptions
from streams.adapt.mail_report import from_domain
from streams.adapt.mime import MAX_VALUE, Headers

#: What `arf` takes of a mail whose reporter nobody vouches for, if the settings do not say: real ones have a few.
MOST_UNPROVEN = 20
#: Fields of the mail that are looked at.
MOST_FIELDS = 50
#: The name under which all reporters are counted that nobody vouches for.
ANYBODY = ""

_COMMENT = re.compile(r"\([^()]*\)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_RESULT = re.compile(r"\s*(dkim|dmarc)\s*(?:/\s*\d+\s*)?=\s*(\w+)", re.IGNORECASE)
_PROPERTY = re.compile(r"\bheader\s*\.\s*(d|i|from)\s*=\s*([^\s;]+)", re.IGNORECASE)


class RefusedReportError(AdaptError):
    """A report that may be read, and is not believed."""


def check_reporter(
    headers: Headers,
    recipients: int,
    options: FormatOptions,
    context: Context,
    most: int,
    *,
    by_user: bool = False,
    mails: int = 1,
) -> None:
    """Whether a mail with these header fields may report so many recipients. `most` are taken of one whose reporter
    nobody vouches for, if the options do not say; of a batch that stands for so many `mails` as many times. A user who
    reports (`by_user`) need not be known.

    Raises:
        RefusedReportError: it may not, and why.
    """
    trust = options.trust
    author = from_domain(headers)
    proven = proven_domain(headers, trust.authserv_ids)
    if trust.reporters != "any" and not proven:
        named = ", ".join(f"`{each}`" for each in trust.authserv_ids)
        raise RefusedReportError(
            f"the report is refused: no Authentication-Results of {named} says that DKIM or DMARC passed for"
            f" {author or 'its From header, which names nobody'}"
        )
    if trust.reporters == "known" and not by_user and not _is_known(proven, options, context):
        raise RefusedReportError(f"the report is refused: {proven} is not known to report (`reporter_domains`)")
    limit = (trust.max_recipients or most) * mails
    if not proven and recipients > limit:
        raise RefusedReportError(
            f"the report is refused: it names {recipients:,} recipients, and of a mail for whose reporter"
            f" nobody vouches {limit:,} are taken (`max_recipients`)"
        )
    now_ms = context.now_ms()
    if trust.max_per_hour and now_ms is not None:
        reporter = proven or ANYBODY
        if not context.reported.take(reporter, recipients, trust.max_per_hour, now_ms):
            raise RefusedReportError(
                f"the report is refused: more than {trust.max_per_hour:,} recipients were reported within this hour by"
                f" {proven or 'reporters for whom nobody vouches'} (`max_per_hour`)"
            )


def _is_known(domain: str, options: FormatOptions, context: Context) -> bool:
    if any(f".{domain}".endswith(f".{each}") for each in options.trust.reporter_domains):
        return True
    return load_feedback_loops().is_reporter(domain, context.providers)


def proven_domain(headers: Headers, authserv_ids: tuple[str, ...]) -> str:
    """The domain of the From header for which a host of these names says that DKIM or DMARC passed; empty without."""
    author = from_domain(headers)
    if not author or not authserv_ids:
        return ""
    fields = headers.all("authentication-results")[:MOST_FIELDS]
    found = (each for value in fields for each in _passed(value, authserv_ids))
    return author if any(_aligned(author, each) for each in found) else ""


def _passed(value: str, authserv_ids: tuple[str, ...]) -> Iterator[str]:
    """The domains for which one field says so: `mx.esp.example 1; dkim=pass (ok) header.d=yahoo.com; dmarc=...`."""
    text = _without_comments(value[:MAX_VALUE])
    name, *results = _QUOTED.sub(lambda quoted: quoted[1].replace(";", " "), text).split(";")
    if name.split()[:1] == [] or name.split()[0].lower() not in authserv_ids:
        return
    for each in results:
        result = _RESULT.match(each)
        if result is None or result[2].lower() != "pass":
            continue
        wanted = ("from",) if result[1].lower() == "dmarc" else ("d", "i")
        for kind, domain in _PROPERTY.findall(each):
            if kind.lower() in wanted:
                yield domain.rpartition("@")[2].lower().rstrip(".")


def _without_comments(text: str) -> str:
    while (shorter := _COMMENT.sub(" ", text)) != text:
        text = shorter
    return text


def _aligned(one: str, other: str) -> bool:
    """Whether two domains of two labels or more are the same, or one is above the other."""
    shorter, longer = sorted((one, other), key=len)
    return "." in shorter and f".{longer}".endswith(f".{shorter}")
