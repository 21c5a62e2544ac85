"""Access tokens for Google's and Microsoft's interfaces, of a refresh token or of the operator's own command."""

import base64
import hashlib
import secrets
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from jobs.poll.requesting import BadCredentialError, PollError, Requester
from schemas.plain_fault import field_first
from schemas.poll import PostmasterSettings, SndsSettings
from streams.io.whole_file import replace_file

#: https://developers.google.com/identity/protocols/oauth2/web-server#offline
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
#: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#refresh-the-access-token , for accounts
#: of persons, which SNDS is used with.
MICROSOFT_TOKEN_URL = "https://login.microsoftonline.com/consumers/oauth2/v2.0/token"  # noqa: S105 - an address
MICROSOFT_SIGN_IN_URL = "https://login.microsoftonline.com/consumers/oauth2/v2.0/authorize"
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


class _Client(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str = SNDS_CLIENT
    token_uri: str = MICROSOFT_TOKEN_URL


class _MicrosoftCredentials(_Client, frozen=True, kw_only=True):
    refresh_token: str


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
    what = f"the refresh token in {settings.credentials_file}"
    return _asked_for(form, credentials.token_uri, "Google", what, requester).access_token


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
    token = _asked_for(form, credentials.token_uri, "Microsoft", f"the refresh token in {path}", requester)
    if token.refresh_token and token.refresh_token != credentials.refresh_token:
        _keep(path, token.refresh_token, place)
    return token.access_token


class SignIn:
    """Signing in to SNDS by hand, once: the address to open, and then the one that the browser was sent to.

    The authorization code flow with PKCE (RFC 7636) for a program without a place to be sent back to:
    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow .
    """

    #: Nobody need listen there: the code is in the address.
    BACK = "http://localhost"

    def __init__(
        self,
        settings: SndsSettings,
        random: Callable[[int], str] = secrets.token_urlsafe,
        token_url: str = MICROSOFT_TOKEN_URL,
    ) -> None:
        """`random` gives a text of so many random bytes; `token_url` is who gives tokens, where no file says it.

        Raises:
            BadCredentialError: the settings name no file to keep the token in, or it cannot be read.
        """
        if not settings.credentials_file:
            raise BadCredentialError("poll.snds.credentials_file: not given; it keeps the token")
        self._path = settings.credentials_file
        there = Path(self._path).exists()
        self._credentials = _read(self._path, _Client, "poll.snds") if there else _Client(token_uri=token_url)
        self._verifier, self._state = random(64), random(16)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        digest = hashlib.sha256(self._verifier.encode()).digest()
        asked = {
            "client_id": self._credentials.client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": self.BACK,
            "scope": f"{self._credentials.client_id}/.default offline_access",
            "state": self._state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            "prompt": "select_account",
        }
        return f"{MICROSOFT_SIGN_IN_URL}?{urlencode(asked)}"

    def finish(self, address: str, requester: Requester) -> None:
        """Take the address that the browser was sent to, and keep the refresh token.

        Raises:
            BadCredentialError: it is not that of this sign-in, it was refused, or the file cannot be written.
            TryLaterError, PollError: who gives tokens cannot be asked.
        """
        found = dict(parse_qsl(urlsplit(address.strip()).query))
        if found.get("state") != self._state:
            raise BadCredentialError("the address is not the one that this sign-in ends at")
        if not found.get("code"):
            why = found.get("error_description") or found.get("error") or "no code"
            raise BadCredentialError(f"the sign-in was refused: {why[:200]}")
        form = {
            "grant_type": "authorization_code",
            "client_id": self._credentials.client_id,
            "code": found["code"],
            "redirect_uri": self.BACK,
            "code_verifier": self._verifier,
            "scope": f"{self._credentials.client_id}/.default offline_access",
        }
        token = _asked_for(form, self._credentials.token_uri, "Microsoft", "the code", requester)
        if not token.refresh_token:
            raise BadCredentialError("Microsoft's token endpoint: it gave no refresh token")
        _keep(self._path, token.refresh_token, "poll.snds")


def _asked_for(form: dict[str, str], url: str, whose: str, what: str, requester: Requester) -> _Token:
    who = f"{whose}'s token endpoint"
    try:
        return msgspec.json.decode(requester.ask("POST", url, who, form=form), type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PollError(f"{who}: no token in its answer") from error
    except BadCredentialError:
        raise
    except PollError as error:
        # What was taken back or has expired is a 400 `invalid_grant`.
        if type(error) is PollError and ": 400" in str(error):
            raise BadCredentialError(f"{error}: {what} is not taken (expired or taken back?)") from error
        raise


def _read(path: str, shape: type[C], place: str) -> C:
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=shape)
    except OSError as error:
        raise BadCredentialError(f"{place}.credentials_file: {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The message of msgspec names the field, never what is in it.
        raise BadCredentialError(f"{place}.credentials_file: {path}: {field_first(str(error))}") from None


def _keep(path: str, refresh_token: str, place: str) -> None:
    """Write the refresh token into the file whole or not at all; whatever else is in it stays, and who may read it."""
    try:
        there = Path(path).resolve()
        fields: dict[str, Any] = msgspec.json.decode(there.read_bytes()) if there.exists() else {}
        mode = there.stat().st_mode & 0o777 if fields else 0o600
        fields["refresh_token"] = refresh_token
        replace_file(there, msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n", mode)
    except OSError as error:
        message = f"{place}.credentials_file: {path}: the refresh token cannot be kept: {error.strerror}"
        raise BadCredentialError(message) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadCredentialError(f"{place}.credentials_file: {path}: {field_first(str(error))}") from None


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
