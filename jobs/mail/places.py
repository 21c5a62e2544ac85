"""Where it comes from: who brought most, what mailbox providers answered, blocklist entries with their pages. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from jobs.mail.phrases import Language, fill
from jobs.mail.writing import clean, clean_answer, day, number, share
from schemas.alert import AlertData, Share
from schemas.policy_metric import LISTED_METRICS, SPIKE
from schemas.providers import OTHER
from streams.listings.attribution import read_about

#: What one brought of all is nearly all.
NEARLY_ALL = 0.8
#: So many of each kind are named.
NAMED = 3
#: What people call mailbox providers whose names here (schemas/providers.toml) are others.
KNOWN_AS: Mapping[str, str] = {
    "united_internet": "GMX/WEB.DE",
    "mailru": "Mail.ru",
    "telekom": "T-Online",
    "sfr": "SFR",
    "att": "AT&T",
    "ovh": "OVH",
    "ionos": "IONOS",
    "bt": "BT",
    "kpn": "KPN",
    "upc": "UPC",
    "tencent": "QQ",
    "netease": "NetEase",
    "sms_gateway": "SMS gateways",
    "mailbox_org": "mailbox.org",
}


class ContributorList(NamedTuple):
    """Those who brought most of one kind, each a line."""

    name: str
    lines: tuple[str, ...]


class ListingEntry(NamedTuple):
    """A blocklist entry in words, what is to be done with its page, and the page itself; empty where there is none."""

    said: str
    ask: str
    page: str


def most_of_it(alert: AlertData, language: Language) -> str:
    """A sentence about what brought nearly all of it; empty where nothing did, or where all mail is meant."""
    if alert.metric in LISTED_METRICS or alert.numerator <= 0:
        return ""
    words, evidence = language.parts, alert.evidence
    for shares, phrase in (
        (evidence.campaigns, words.campaign),
        (evidence.from_domains, words.from_domain),
        (evidence.providers, words.provider),
    ):
        if shares and shares[0].name and shares[0].count >= NEARLY_ALL * alert.numerator:
            name = _provider(shares[0].name, language) if shares is evidence.providers else clean(shares[0].name)
            if shares is evidence.campaigns:
                name = fill(language.form.quoted, name=name)
            return fill(words.most, what=fill(phrase, name=name))
    return ""


def parts(alert: AlertData, language: Language) -> Iterator[ContributorList]:
    """Who brought most, by kind; what is the same for all mail is left out."""
    words, evidence = language.parts, alert.evidence
    yield from _part(words.campaigns, evidence.campaigns, language)
    yield from _part(words.from_domains, evidence.from_domains, language)
    providers = [
        Share(name=_provider(each.name, language), count=each.count, volume=each.volume) for each in evidence.providers
    ]
    yield from _part(words.providers, providers, language)
    yield from _part(words.ips, evidence.ips, language)
    if evidence.reported:
        days = (
            fill(
                words.day,
                name=clean(each.domain),
                date=day(language.form, each.day),
                share=share(language.form, each.rate, alert.threshold),
            )
            for each in evidence.reported[:NAMED]
        )
        yield ContributorList(words.days, tuple(days))
    answers = [each for each in evidence.bounce_classes if each.sample][:NAMED]
    if answers and alert.metric != SPIKE:
        form = language.form
        lines = (
            fill(
                words.answer.of(each.count),
                n=number(form, each.count),
                name=fill(form.quoted, name=clean_answer(each.sample)),
            )
            for each in answers
        )
        yield ContributorList(words.answers, tuple(lines))


def entries(alert: AlertData, language: Language, delisting: Callable[[str], str]) -> Iterator[ListingEntry]:
    """The blocklist entries, each with the page where it is looked up."""
    if alert.metric not in LISTED_METRICS:
        return
    seen = dict.fromkeys(found for each in alert.evidence.listings if (found := read_about(each)) is not None)
    for found in seen:
        page = delisting(found.zone)
        ask = fill(language.ask.listing_page, page=page) if page else ""
        yield ListingEntry(f"{clean(found.resource)}: {clean(found.zone)}", ask, page)


def _part(name: str, shares: "list[Share] | tuple[Share, ...]", language: Language) -> Iterator[ContributorList]:
    named = [each for each in shares if each.name][:NAMED]
    if named:
        yield ContributorList(name, tuple(_line(clean(each.name), each.count, each.volume, language) for each in named))


def _line(name: str, count: int, volume: int, language: Language) -> str:
    words, form = language.parts, language.form
    phrase = words.part_of if volume else words.part
    return fill(phrase, name=name, n=number(form, count), all=number(form, volume))


def _provider(name: str, language: Language) -> str:
    """`Gmail` of `gmail`, as people know it."""
    if name == OTHER:
        return language.parts.other
    return KNOWN_AS.get(name) or clean(name).replace("_", " ").title()
