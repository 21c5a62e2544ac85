"""Access tokens for Google's and Microsoft's interfaces, of a refresh token or of the operator's own command."""

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from jobs.poll.requesting import BadCredentialError, PollError, Requester
from schemas.poll import PostmasterSettings, SndsSettings

#: https://developers.google.com/identity/protocols/oauth2/web-server#offline
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
#: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#refresh-the-access-token , for accounts
#: of persons, which SNDS is used with.
MICROSOFT_TOKEN_URL = "https://login.microsoftonline.com/consumers/oauth2/v2.0/token"  # noqa: S105 - an address
#: The SNDS portal itself, a public client without a secret, as public programs for its interface use it
#: (https://github.com/OptiPub/outlook-snds-mcp).
SNDS_CLIENT = "a53a6cc1-a1cd-46f7-a4aa-281cdabec33c"
COMMAND_S = 60

C = TypeVar("C")


class _Credentials(msgspec.Struct, frozen=True):
    """As `gcloud auth application-default login` writes them (`type` is `authorized_user`)."""

    client_id: str
    client_secret: str
    refresh_token: str
    token_uri: str = TOKEN_URL


class _MicrosoftCredentials(msgspec.Struct, frozen=True):
    refresh_token: str
    client_id: str = SNDS_CLIENT
    token_uri: str = MICROSOFT_TOKEN_URL


class _Token(msgspec.Struct, frozen=True):
    """RFC 6749, sections 5.1 and 6: with a new refresh token the old one is to be thrown away."""

    access_token: str
    refresh_token: str = ""


def access_token(settings: PostmasterSettings, requester: Requester) -> str:
    """A token that is good for a round; it is in no message.

    Raises:
        BadCredentialError: there are no credentials, or they are not taken.
        TryLaterError, PollError: who gives tokens cannot be asked.
    """
    place = "poll.postmaster"
    if settings.token_command:
        return _of_command(settings.token_command, place)
    if not settings.credentials_file:
        raise BadCredentialError(f"{place}: give credentials_file or token_command")
    credentials = _read(settings.credentials_file, _Credentials, place)
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "refresh_token": credentials.refresh_token,
    }
    return _of_refresh_token(form, credentials.token_uri, "Google", settings.credentials_file, requester).access_token


def snds_token(settings: SndsSettings, requester: Requester) -> str:
    """The same for SNDS. The refresh token that comes with it is kept in the file of credentials.

    Raises:
        BadCredentialError: as above, or the file cannot be written.
        TryLaterError, PollError: as above.
    """
    place, path = "poll.snds", settings.credentials_file
    if settings.token_command:
        return _of_command(settings.token_command, place)
    credentials = _read(path, _MicrosoftCredentials, place)
    form = {
        "grant_type": "refresh_token",
        "client_id": credentials.client_id,
        "refresh_token": credentials.refresh_token,
        "scope": f"{credentials.client_id}/.default offline_access",
    }
    token = _of_refresh_token(form, credentials.token_uri, "Microsoft", path, requester)
    if token.refresh_token and token.refresh_token != credentials.refresh_token:
        _keep(path, token.refresh_token, place)
    return token.access_token


def _of_refresh_token(form: dict[str, str], url: str, whose: str, path: str, requester: Requester) -> _Token:
    who = f"{whose}'s token endpoint"
    try:
        return msgspec.json.decode(requester.ask("POST", url, who, form=form), type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PollError(f"{who}: no token in its answer") from error
    except BadCredentialError:
        raise
    except PollError as error:
        # A refresh token that was taken back or has expired is a 400 `invalid_grant`.
        if type(error) is PollError and ": 400" in str(error):
            message = f"{error}: the refresh token in {path} is not taken (expired or taken back?)"
            raise BadCredentialError(message) from error
        raise


def _read(path: str, shape: type[C], place: str) -> C:
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=shape)
    except OSError as error:
        raise BadCredentialError(f"{place}.credentials_file: {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The message of msgspec names the field, never what is in it.
        raise BadCredentialError(f"{place}.credentials_file: {path}: {error}") from None


def _keep(path: str, refresh_token: str, place: str) -> None:
    """Write the refresh token into the file whole or not at all; whatever else is in it stays, and who may read it."""
    try:
        there = Path(path).resolve()
        fields: dict[str, Any] = msgspec.json.decode(there.read_bytes())
        fields["refresh_token"] = refresh_token
        new = there.with_name(f".{there.name}.new")
        with suppress(FileNotFoundError):
            new.unlink()
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, there.stat().st_mode & 0o777), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(there)
    except OSError as error:
        message = f"{place}.credentials_file: {path}: the new refresh token cannot be kept: {error.strerror}"
        raise BadCredentialError(message) from error


def _of_command(command: Sequence[str], place: str) -> str:
    name = command[0]
    try:
        done = subprocess.run(command, capture_output=True, timeout=COMMAND_S, check=False)  # noqa: S603 - the operator's own
    except OSError as error:
        raise BadCredentialError(f"{place}.token_command: {name}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise BadCredentialError(f"{place}.token_command: {name}: no token in {COMMAND_S} s") from None
    token = done.stdout.decode("ascii", "replace").strip()
    if done.returncode != 0 or not token or not token.isascii() or len(token.split()) != 1:
        ended = f"ended with {done.returncode}" if done.returncode else "printed no token"
        raise BadCredentialError(f"{place}.token_command: {name}: {ended}")
    return token
