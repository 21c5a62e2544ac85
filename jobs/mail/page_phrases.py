"""The phrases of a customer's own page, and which placeholders each may hold; and what all phrases are."""

from collections.abc import Mapping

import msgspec


class Phrases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a language. Where a field may hold placeholders, `PLACEHOLDERS` says which."""


class PluralPhrase(Phrases, frozen=True):
    """A phrase for one and for several."""

    one: str
    other: str

    def of(self, number: float) -> str:
        """That for a number."""
        return self.one if number == 1 else self.other


class PageStandings(Phrases, frozen=True):
    """What each standing is called."""

    suspended: str
    reinstated: str
    critical: str
    excessive: str
    warning: str
    watch: str
    good: str
    insufficient_volume: str
    inactive: str


class PageWell(Phrases, frozen=True):
    """What is said where nothing is to be done, by standing."""

    good: str
    reinstated: str
    inactive: str
    insufficient_volume: str


class RateNames(Phrases, frozen=True):
    """Something about each rate: its name, or what it is of."""

    complaint: str
    failure: str
    block: str
    exposure: str


class PageCharts(Phrases, frozen=True):
    """The pictures of rates. `above` and `table` head the same as a table; `said` is for who cannot see a picture."""

    caption: str
    empty: str
    table: str
    above: str
    until: str
    counted: str
    of: str
    rate: str
    between: str
    between_value: str
    said: str
    said_between: str
    said_levels: str


class PageParts(Phrases, frozen=True):
    """Parts of a customer's mail."""

    heading: str
    part: str
    standing: str
    recipients: str
    stream: str
    sub_account: str
    bulk: str
    transactional: str


class PageListings(Phrases, frozen=True):
    """What stands on blocklists."""

    heading: str
    none: str
    entry: str
    critical: str
    major: str
    minor: str
    informational: str
    since: str
    ended: str
    exposed: PluralPhrase
    incident: str
    delisting: str


class PageSignIn(Phrases, frozen=True):
    """Signing in. The last five are what is said above the form: the session had ended, and what is wrong with a key or
    with a link that is good once."""

    heading: str
    key: str
    button: str
    hint: str
    ended: str
    expired: str
    unknown: str
    may_not_read: str
    link_used: str


class PageFault(Phrases, frozen=True):
    """What went wrong, in a few words and in a sentence."""

    title: str
    said: str


class PageFaults(Phrases, frozen=True):
    """What is shown in place of a page. `again` and `home` are links; `home` leads to one's own page."""

    again: str
    home: str
    refused: PageFault
    missing: PageFault
    unusable: PageFault
    busy: PageFault
    slow: PageFault
    down: PageFault
    failed: PageFault
    frame_over: PageFault


class PagePhrases(Phrases, frozen=True):
    """The page. `language` is what the language calls itself; `levels` is a level with its threshold."""

    language: str
    title: str
    skip: str
    theme: str
    sign_out: str
    choose_language: str
    since: str
    counted_since: str
    stale: str
    last_day: str
    limit: str
    left: str
    left_line: str
    left_note: str
    rates: str
    level: str
    standings: PageStandings
    well: PageWell
    names: RateNames
    defined: RateNames
    charts: PageCharts
    parts: PageParts
    listings: PageListings
    sign_in: PageSignIn
    errors: PageFaults


#: The placeholders that a phrase may hold, by the beginning of its path.
PAGE_PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "page.since": frozenset({"date"}),
    "page.counted_since": frozenset({"date"}),
    "page.stale": frozenset({"age"}),
    "page.last_day": frozenset({"name"}),
    "page.limit": frozenset({"rate"}),
    "page.left_line": frozenset({"more", "level", "window"}),
    "page.left_note": frozenset(),
    "page.level": frozenset({"level", "rate"}),
    "page.charts.caption": frozenset({"defined", "window", "sure"}),
    "page.charts.above": frozenset({"levels"}),
    "page.charts.between_value": frozenset({"lower", "upper"}),
    "page.charts.said": frozenset({"name", "window", "rate", "share", "between", "most", "date"}),
    "page.charts.said_between": frozenset({"lower", "upper"}),
    "page.charts.said_levels": frozenset({"levels"}),
    "page.parts.stream": frozenset({"name"}),
    "page.parts.sub_account": frozenset({"name"}),
    "page.listings.entry": frozenset({"name", "list"}),
    "page.listings.since": frozenset({"date"}),
    "page.listings.ended": frozenset({"since", "until"}),
    "page.listings.exposed": frozenset({"n"}),
    "page.sign_in.hint": frozenset({"command"}),
}
