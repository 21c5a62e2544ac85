"""One round of Microsoft SNDS: the file of each of the last days."""

from datetime import date, timedelta
from pathlib import Path

from jobs.poll.reading import AnswerError
from jobs.poll.requesting import BadCredentialError, NoAccessError, PollError, Requester, TryLaterError
from jobs.poll.round import Round
from jobs.poll.snds_answers import day_file
from schemas.poll import SndsSettings


def poll_snds(settings: SndsSettings, today: date, requester: Requester) -> Round:
    """Ask about the last days before `today`, the newest first. A day that cannot be read costs itself alone.

    Raises:
        BadCredentialError: the key is not there, or not taken.
    """
    key = _key(settings)
    found = Round()
    for back in range(1, settings.lookback_days + 1):
        day = today - timedelta(days=back)
        found.asked += 1
        try:
            body = requester.ask(
                "GET", settings.url, f"SNDS data of {day}", params={"key": key, "date": day.strftime("%m%d%y")}
            )
            read = day_file(body, day)
        except NoAccessError as error:
            if not error.known:
                found.faults.append(str(error))
                continue
            raise BadCredentialError(f"{error}: the key in {settings.key_file} is not taken") from error
        except BadCredentialError:
            raise
        except TryLaterError as error:
            found.faults.append(str(error))
            found.later = True
            break
        except (PollError, AnswerError) as error:
            found.faults.append(str(error))
            continue
        found.readings += read.readings
        found.faults += read.faults
    return found


def _key(settings: SndsSettings) -> str:
    if not settings.key_file:
        raise BadCredentialError("poll.snds.key_file: not given; it holds the key of the automated data access")
    try:
        key = Path(settings.key_file).read_text(encoding="ascii").strip()
    except OSError as error:
        raise BadCredentialError(f"poll.snds.key_file: {settings.key_file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadCredentialError(f"poll.snds.key_file: {settings.key_file}: not a key") from None
    if len(key.split()) != 1:
        raise BadCredentialError(f"poll.snds.key_file: {settings.key_file}: not one key")
    return key
