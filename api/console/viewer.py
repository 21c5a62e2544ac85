"""In which language somebody reads who has no page of their own yet: who signs in, and who is told that a page cannot
be shown. Operators, once they are known, read English."""

from functools import lru_cache
from urllib.parse import urlencode

from fastapi import Request

from api.console.page_words import PageWords, operators, wanted_language
from api.console.visits import Visit
from api.http.access import Service
from jobs.mail.languages import load_languages, page_of
from jobs.mail.phrases import Language
from schemas.settings import SettingsError

#: A language's tag, what it calls itself, and the page in it.
Choice = tuple[str, str, str]


def visitor(request: Request) -> Visit | None:
    """Who is signed in, once that is known."""
    found = getattr(request.state, "visit", None)
    return found if isinstance(found, Visit) else None


def viewer_words(request: Request) -> PageWords:
    """The words of the language that the address names (`lang`), else that the browser asks for, else that of the
    settings."""
    found, service = visitor(request), getattr(request.app.state, "service", None)
    if not isinstance(service, Service) or (found is not None and found.owner.is_operator):
        return operators()
    settings = service.settings.mail
    try:
        known = _languages(settings.folder)
        chosen, accepted = request.query_params.get("lang", ""), request.headers.get("accept-language", "")
        tag = wanted_language(chosen, accepted, settings.language, tuple(sorted(known)))
        return PageWords(*page_of(known, tag, settings.language))
    except (SettingsError, KeyError):
        # A file that somebody spoiled since the start: what is shown here may be why nothing else can be.
        return operators()


def viewer_choices(request: Request) -> tuple[Choice, ...]:
    """The same page in each language that there is."""
    service = getattr(request.app.state, "service", None)
    if not isinstance(service, Service):
        return ()
    settings = service.settings.mail
    try:
        known = _languages(settings.folder)
        pages = [page_of(known, tag, settings.language) for tag in sorted(known)]
    except (SettingsError, KeyError):
        return ()
    return tuple((tag, page.language, in_language(request, tag)) for tag, _, page in pages)


def in_language(request: Request, tag: str) -> str:
    """The address of the same page in a language."""
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return f"?{urlencode([*others, ('lang', tag)])}"


@lru_cache(maxsize=4)
def _languages(folder: str) -> dict[str, Language]:
    return load_languages(folder)
