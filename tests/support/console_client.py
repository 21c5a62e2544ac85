"""Somebody in front of the console: signs in, asks for pages, sends forms."""

import re
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response

CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class ConsoleVisitor:
    """A browser of its own, as far as cookies go."""

    client: TestClient

    def get(self, path: str, **headers: str) -> Response:
        answer: Response = self.client.get(path, headers=headers, follow_redirects=False)
        return answer

    def post(self, path: str, token: str | None = None, **fields: Any) -> Response:
        """A form with the session's token, or another."""
        sent = fields | {"csrf": self.csrf() if token is None else token}
        answer: Response = self.client.post(path, data=sent, follow_redirects=False)
        return answer

    def sign_in(self, key: str, following: str = "") -> Response:
        answer: Response = self.client.post(
            "/console/sign-in", data={"key": key, "next": following}, follow_redirects=False
        )
        return answer

    def csrf(self) -> str:
        """The token of the session, as a page has it."""
        found = CSRF.search(self.get("/console/").text)
        assert found is not None
        return found[1]


def visitor(client: TestClient) -> ConsoleVisitor:
    """Another browser before the same application."""
    return ConsoleVisitor(TestClient(client.app, raise_server_exceptions=False))
