"""One round of Gmail Postmaster Tools: each domain's last days, its feedback loops, and Google's requirements."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import TypeVar
from urllib.parse import quote

from jobs.poll import postmaster_answers as answers
from jobs.poll.postmaster_answers import Compliance, Domains, Stats
from jobs.poll.reading import AnswerError, ProviderReading
from jobs.poll.requesting import BadCredentialError, NoAccessError, PollError, Requester, TryLaterError
from jobs.poll.round import Round
from jobs.poll.tokens import access_token
from schemas.domains import domain_name
from schemas.poll import PostmasterSettings

#: So many feedback loops are asked about at once.
LOOPS = 20
#: More pages than any account has: a server that always names a next page does not keep us.
MOST_PAGES = 1_000
#: What comes in pages.
Page = TypeVar("Page", Stats, Domains)
NO_ACCESS = "no access: is it verified in Postmaster Tools, and shared with the account of the credentials?"


def poll_postmaster(settings: PostmasterSettings, today: date, requester: Requester) -> Round:
    """Ask about the last days up to `today`. A domain that cannot be asked costs itself alone.

    Raises:
        BadCredentialError: the credentials are not there, or not taken.
        NoAccessError, TryLaterError, PollError, AnswerError: no page of the list of domains can be had.
    """
    asking = _Asking(settings, requester, access_token(settings, requester))
    found = Round()
    for domain in settings.domains or _listed(asking, found):
        found.asked += 1
        try:
            _ask_about(asking, domain, today, found)
        except BadCredentialError:
            raise
        except TryLaterError as error:
            found.faults.append(str(error))
            found.later = True
            break
        except NoAccessError as error:
            found.faults.append(f"{error}: {NO_ACCESS}")
        except (PollError, AnswerError) as error:
            found.faults.append(str(error))
    return found


def _listed(asking: "_Asking", found: Round) -> Iterator[str]:
    """What the account sees. A page that cannot be read costs those that come after it."""
    try:
        yield from asking.domains()
    except BadCredentialError:
        raise
    except (PollError, AnswerError) as error:
        if not found.asked:
            raise
        found.faults.append(str(error))
        found.later = isinstance(error, TryLaterError)


def _ask_about(asking: "_Asking", domain: str, today: date, found: Round) -> None:
    """What was read before an error is kept."""
    first = today - timedelta(days=asking.settings.lookback_days - 1)
    loops: dict[str, None] = {}
    for page in asking.stats(domain, first, today):
        found.readings += answers.spam_rates(domain, page)
        loops |= dict.fromkeys(answers.loop_ids(page))
    names = list(loops)
    for place in range(0, len(names), LOOPS):
        some = names[place : place + LOOPS]
        for page in asking.stats(domain, first, today, some):
            found.readings += answers.loop_rates(domain, page, some)
    found.readings += asking.compliance(domain, today)


class _Asking:
    """The three methods of the API, page by page."""

    def __init__(self, settings: PostmasterSettings, requester: Requester, token: str) -> None:
        self.settings = settings
        self._requester = requester
        self._token = token
        self._base = settings.url.rstrip("/") + "/v2"

    def domains(self) -> Iterator[str]:
        def ask(page: str, who: str) -> Domains:
            params = {"pageSize": str(answers.PAGE)} | ({"pageToken": page} if page else {})
            body = self._requester.ask("GET", f"{self._base}/domains", who, token=self._token, params=params)
            return answers.parse(body, Domains, who)

        for answer in _pages("Postmaster Tools, the list of domains", ask):
            yield from answer.usable()

    def stats(self, domain: str, first: date, last: date, loops: Sequence[str] | None = None) -> Iterator[Stats]:
        url = f"{self._base}/domains/{_written(domain)}/domainStats:query"

        def ask(page: str, who: str) -> Stats:
            query = answers.stats_query(first, last, loops, page)
            return answers.parse(self._requester.ask("POST", url, who, token=self._token, json=query), Stats, who)

        return _pages(f"Postmaster Tools, {domain}", ask)

    def compliance(self, domain: str, today: date) -> list[ProviderReading]:
        who = f"Postmaster Tools, compliance of {domain}"
        url = f"{self._base}/domains/{_written(domain)}/complianceStatus"
        try:
            body = self._requester.ask("GET", url, who, token=self._token)
        except NoAccessError:
            return []  # Google has it of few domains; that these may be seen is known by now
        return answers.compliance(domain, answers.parse(body, Compliance, who), today)


def _pages(what: str, ask: Callable[[str, str], Page]) -> Iterator[Page]:
    """Each page in turn, asked for by its token and named in errors from the second on.

    Raises:
        PollError: a page names one that was read as the next, or there are too many.
    """
    page, read = "", set[str]()
    for number in range(1, MOST_PAGES + 1):
        who = what if number == 1 else f"{what}, page {number}"
        answer = ask(page, who)
        yield answer
        read.add(page)
        if not (page := answer.next_page_token):
            return
        if page in read:
            raise PollError(f"{who}: it names a page as the next that was read already")
    raise PollError(f"{what}: more than {MOST_PAGES:,} pages")


def _written(domain: str) -> str:
    return quote(domain_name(domain) or domain, safe="")
