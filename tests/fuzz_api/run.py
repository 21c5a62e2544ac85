"""Lets schemathesis ask a running interface all that its document allows, and much that it does not."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from api.http.bounded import bounded
from schemas.settings import ClickHouse
from streams.io.store import Store
from tests.support.api_scene import scene
from tests.support.serving import serving

#: Left out are those that want every request that fits the document to be answered with 200: which customers, alerts
#: and times there are, it cannot say.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)

#: A body over the limit is refused as too large (RFC 9110, section 15.5.14), whatever else is wrong; schemathesis
#: 4.32 does not count that among the ways to refuse.
CONFIGURATION = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
"""


def fuzz(settings: ClickHouse, store: Store, arguments: Sequence[str], folder: Path, *, operator: bool) -> int:
    """Serve a small fleet in an empty store, and have an operator or a customer ask. What is found is printed; 0 for
    nothing. `folder` is where schemathesis keeps what it found.
    """
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    with scene(settings, store) as (api, operators_key):
        config = uvicorn.Config(
            api.client.app, host="127.0.0.1", port=0, lifespan="off", log_level="error", **bounded()
        )
        with serving(config) as (host, port):
            words = (
                *(sys.executable, "-m", "schemathesis.cli", "run", f"http://{host}:{port}/openapi.json"),
                *("--header", f"Authorization: Bearer {operators_key if operator else api.key}"),
                *("--checks", ",".join(CHECKS), "--warnings", "off", "--no-color", *arguments),
            )
            return subprocess.run(words, cwd=folder, check=False).returncode
