"""User and password (RFC 7617) or a bearer token (RFC 6750), for providers that sign nothing. Pure."""

from api.collect.signature import Headers, SignatureError, header, same, unbase64


class CredentialsError(SignatureError):
    """Credentials are missing or wrong; `scheme` is the one that is asked for."""

    def __init__(self, scheme: str, reason: str) -> None:
        super().__init__(reason)
        self.scheme = scheme


def verify_basic(headers: Headers, user: str, password: str) -> None:
    """HTTP basic authentication, as a provider sends it for `https://user:password@host/...`.

    Raises:
        CredentialsError: missing or wrong.
    """
    try:
        given = unbase64(_given(headers, "basic"), "what is given")
    except SignatureError as error:
        raise CredentialsError("Basic", str(error)) from error
    if not same(given, f"{user}:{password}".encode()):
        raise CredentialsError("Basic", "user or password does not match")


def verify_bearer(headers: Headers, token: str) -> None:
    """A bearer token.

    Raises:
        CredentialsError: missing or wrong.
    """
    try:
        given = _given(headers, "bearer")
    except SignatureError as error:
        raise CredentialsError("Bearer", str(error)) from error
    if not same(given, token):
        raise CredentialsError("Bearer", "the token does not match")


def _given(headers: Headers, scheme: str) -> str:
    named, _, value = header(headers, "Authorization").partition(" ")
    if named.lower() != scheme:
        raise SignatureError(f"the header Authorization is not of the scheme {scheme}")
    return value.strip()
