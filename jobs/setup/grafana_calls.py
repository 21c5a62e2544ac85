"""Calls to one Grafana, with one kind of error.

They go through `grafana_api`. That package puts names into paths as they are, lets errors of `requests` through, and
knows the paths below `/api` alone. So names are quoted here, every failure becomes a `DashboardError`, and for the
resources of Grafana 12 and later (`/apis/GROUP/VERSION/...`) a second client of it has that for its root.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from grafana_api.grafana_api import GrafanaAPI, GrafanaException
from grafana_api.grafana_face import GrafanaFace

from schemas.errors import ExternalError
from schemas.secrets import without_user
from schemas.watch_settings import Grafana
from streams.io.watched_session import watched
from streams.io.whole_time import within

#: For all of an answer.
TIMEOUT_S = 10.0
UNAUTHORISED, FORBIDDEN, NOT_FOUND, CONFLICT, PRECONDITION = 401, 403, 404, 409, 412
GrafanaAnswer = TypeVar("GrafanaAnswer")


class DashboardError(ExternalError):
    """Grafana could not be reached, or refused; the message says what was tried and what to do. `status` is that of the
    answer, 0 where there was none."""

    status = 0


class GrafanaCalls:
    """`face` is the package's client, `resources` the one of paths below `/apis`."""

    def __init__(self, grafana: Grafana) -> None:
        """Nothing is asked yet.

        Raises:
            DashboardError: no usable address, or neither token nor user.
        """
        self.face, self.resources = _connect(grafana)
        self._where = without_user(grafana.url)

    def ask(self, what: str, call: Callable[[], Any], shape: type[GrafanaAnswer]) -> GrafanaAnswer:
        """The answer of `call`, checked.

        Raises:
            DashboardError: there is none, or it is an error.
        """
        try:
            with within(TIMEOUT_S):
                found = call()
            return msgspec.convert(found, shape)
        except GrafanaException as error:
            raised = DashboardError(f"Grafana at {self._where}: {what}: {_reason(error)}")
            raised.status = error.status_code
            raise raised from error
        except requests.TooManyRedirects as error:
            raise DashboardError(
                f"Grafana at {self._where}: {what}: redirected; set grafana.url to the address it leads to"
            ) from error
        except requests.JSONDecodeError as error:
            raise DashboardError(f"Grafana at {self._where}: {what}: the answer is not JSON") from error
        except (requests.RequestException, TimeoutError) as error:
            raise DashboardError(f"Grafana at {self._where} cannot be reached: {_cause(error)}") from error
        except (msgspec.ValidationError, TypeError) as error:
            # grafana_api fails with a TypeError where an error's body is JSON but not an object.
            raise DashboardError(f"Grafana at {self._where}: {what}: not an answer of Grafana's: {error}") from error

    def find(self, what: str, call: Callable[[], Any], shape: type[GrafanaAnswer]) -> GrafanaAnswer | None:
        """As `ask`; None where Grafana says that there is none."""
        try:
            return self.ask(what, call, shape)
        except DashboardError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def require_plugin(self, plugin: str) -> None:
        """Also the first call, so that a wrong address or token is found before anything is changed."""
        found = self.find("look for the plugin", lambda: self.face.api.GET(f"/plugins/{plugin}/settings"), dict)
        if found is None:
            raise DashboardError(
                f"Grafana at {self._where}: the plugin {plugin} is not installed, or this is no Grafana; "
                f"install it with `grafana cli plugins install {plugin}` and restart Grafana"
            )


def _connect(grafana: Grafana) -> tuple[Any, Any]:
    """Clients for `grafana.url`, which grafana_api wants in pieces: of `/api`, and of `/apis`.

    Raises:
        DashboardError: no usable address, or neither token nor user.
    """
    parts = urlsplit(grafana.url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise DashboardError(f"grafana.url: {without_user(grafana.url)!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise DashboardError(f"grafana.url: {without_user(grafana.url)!r} is not an http or https address")
    if grafana.token:
        auth: str | tuple[bytes, bytes] = grafana.token
    elif grafana.user:
        # As bytes: requests would encode text as Latin-1, and Grafana reads UTF-8.
        auth = (grafana.user.encode(), grafana.password.encode())
    else:
        raise DashboardError("set grafana.token, or grafana.user and grafana.password")
    prefix = parts.path.strip("/")
    options: dict[str, Any] = {
        "auth": auth,
        "host": f"[{host}]" if ":" in host else host,
        "port": port,
        "url_path_prefix": f"{prefix}/" if prefix else "",
        "protocol": parts.scheme,
        "timeout": TIMEOUT_S,
    }
    face, resources = GrafanaFace(**options), GrafanaAPI(**options)
    resources.url += "s"  # from `.../api` to `.../apis`
    for session in (face.api.s, resources.s):
        # A redirect would turn a POST into a GET, whose answer looks like success.
        session.max_redirects = 0
        watched(session)
    return face, resources


def _reason(error: GrafanaException) -> str:
    body = error.response
    said = str(body.get("message", "")) if isinstance(body, dict) else ""
    if error.status_code == UNAUTHORISED:
        return "not authorised (401): check grafana.token, or grafana.user and grafana.password"
    if error.status_code == FORBIDDEN:
        return f"not allowed (403): the token's role may not do this. {said}".strip()
    if error.status_code >= 500:
        return (
            f"Grafana failed ({error.status_code}): {said or str(error)[:200]}; run it again, what is done stays done"
        )
    return f"{error.status_code}: {said or str(error)[:200]}"


def _cause(error: Exception) -> str:
    if isinstance(error, requests.Timeout | TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    return str(error).split("Caused by ")[-1].split("\n", 1)[0][:300]
