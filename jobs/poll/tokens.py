"""Access tokens for Google's API, of a refresh token or of the operator's own command."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from jobs.poll.requesting import BadCredentialError, PollError, Requester
from schemas.poll import PostmasterSettings

#: https://developers.google.com/identity/protocols/oauth2/web-server#offline
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
COMMAND_S = 60


class _Credentials(msgspec.Struct, frozen=True):
    """As `gcloud auth application-default login` writes them (`type` is `authorized_user`)."""

    client_id: str
    client_secret: str
    refresh_token: str
    token_uri: str = TOKEN_URL


class _Token(msgspec.Struct, frozen=True):
    """RFC 6749, section 5.1."""

    access_token: str


def access_token(settings: PostmasterSettings, requester: Requester) -> str:
    """A token that is good for a round; it is in no message.

    Raises:
        BadCredentialError: there are no credentials, or they are not taken.
        TryLaterError, PollError: who gives tokens cannot be asked.
    """
    if settings.token_command:
        return _of_command(settings.token_command)
    if not settings.credentials_file:
        raise BadCredentialError("poll.postmaster: give credentials_file or token_command")
    credentials = _read(settings.credentials_file)
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "refresh_token": credentials.refresh_token,
    }
    try:
        body = requester.ask("POST", credentials.token_uri, "Google's token endpoint", form=form)
        return msgspec.json.decode(body, type=_Token).access_token
    except msgspec.DecodeError as error:
        raise PollError("Google's token endpoint: no token in its answer") from error
    except BadCredentialError:
        raise
    except PollError as error:
        # A refresh token that was taken back or has expired is a 400 `invalid_grant`.
        if type(error) is PollError and ": 400" in str(error):
            message = f"{error}: the refresh token in {settings.credentials_file} is not taken (expired or taken back?)"
            raise BadCredentialError(message) from error
        raise


def _read(path: str) -> _Credentials:
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=_Credentials)
    except OSError as error:
        raise BadCredentialError(f"poll.postmaster.credentials_file: {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The message of msgspec names the field, never what is in it.
        raise BadCredentialError(f"poll.postmaster.credentials_file: {path}: {error}") from None


def _of_command(command: Sequence[str]) -> str:
    name = command[0]
    try:
        done = subprocess.run(command, capture_output=True, timeout=COMMAND_S, check=False)  # noqa: S603 - the operator's own
    except OSError as error:
        raise BadCredentialError(f"poll.postmaster.token_command: {name}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise BadCredentialError(f"poll.postmaster.token_command: {name}: no token in {COMMAND_S} s") from None
    token = done.stdout.decode("ascii", "replace").strip()
    if done.returncode != 0 or not token or not token.isascii() or len(token.split()) != 1:
        ended = f"ended with {done.returncode}" if done.returncode else "printed no token"
        raise BadCredentialError(f"poll.postmaster.token_command: {name}: {ended}")
    return token
