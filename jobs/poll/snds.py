"""One round of Microsoft SNDS: each of the last days, and by its REST interface which addresses are blocked."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

from jobs.poll.reading import AnswerError
from jobs.poll.requesting import BadCredentialError, NoAccessError, PollError, Requester, TryLaterError
from jobs.poll.round import Round
from jobs.poll.snds_answers import DayRead, blocked_addresses, day_file
from jobs.poll.tokens import snds_token
from schemas.poll import SndsSettings
from schemas.written_file import read_written

#: By whom it is asked: what the data of a day are asked with.
AskDay = Callable[[date], bytes]


def poll_snds(settings: SndsSettings, today: date, requester: Requester) -> Round:
    """Ask about the last days before `today`, the newest first. A day that cannot be read costs itself alone.

    Raises:
        BadCredentialError: the credentials or the key are not there, or not taken.
        TryLaterError, PollError: who gives tokens cannot be asked.
    """
    found = Round()
    if not (settings.credentials_file or settings.token_command):
        key = _key(settings)
        _ask_days(settings, today, partial(_by_key, settings, key, requester), found)
        return found
    token = snds_token(settings, requester)
    url = settings.api_url.rstrip("/")

    def by_day(day: date) -> bytes:
        try:
            return requester.ask("GET", f"{url}/api/report/data/{day}", f"SNDS data of {day}", token=token)
        except NoAccessError as error:
            if error.known:
                raise
            return b""  # Microsoft is a day or two late: the report of that day is not there yet.

    _ask_days(settings, today, by_day, found)
    if not found.later:
        found.asked += 1
        who = "SNDS status of addresses"
        _take(
            found,
            lambda: blocked_addresses(requester.ask("GET", f"{url}/api/report/status/ip", who, token=token), today),
        )
    return found


def _ask_days(settings: SndsSettings, today: date, ask: AskDay, found: Round) -> None:
    for back in range(1, settings.lookback_days + 1):
        day = today - timedelta(days=back)
        found.asked += 1
        _take(found, lambda day=day: day_file(ask(day), day))  # type: ignore[misc]
        if found.later:
            break


def _take(found: Round, ask: Callable[[], DayRead]) -> None:
    try:
        read = ask()
    except BadCredentialError:
        raise
    except TryLaterError as error:
        found.faults.append(str(error))
        found.later = True
    except (PollError, AnswerError) as error:
        found.faults.append(str(error))
    else:
        found.readings += read.readings
        found.faults += read.faults


def _by_key(settings: SndsSettings, key: str, requester: Requester, day: date) -> bytes:
    params = {"key": key, "date": day.strftime("%m%d%y")}
    try:
        return requester.ask("GET", settings.url, f"SNDS data of {day}", params=params)
    except NoAccessError as error:
        if not error.known:
            raise
        raise BadCredentialError(f"{error}: the key in {settings.key_file} is not taken") from error


def _key(settings: SndsSettings) -> str:
    if not settings.key_file:
        raise BadCredentialError("poll.snds: give credentials_file or token_command, or key_file")
    try:
        key = read_written(settings.key_file, "ascii").strip()
    except OSError as error:
        raise BadCredentialError(f"poll.snds.key_file: {settings.key_file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadCredentialError(f"poll.snds.key_file: {settings.key_file}: not a key") from None
    if len(key.split()) != 1:
        raise BadCredentialError(f"poll.snds.key_file: {settings.key_file}: not one key")
    return key
