"""What FastAPI cannot say in the OpenAPI document: that errors are `application/problem+json`, and examples."""

from typing import Any

from api.http import examples
from api.http.problems import MEDIA_TYPE

JSON = "application/json"


def complete(document: dict[str, Any]) -> None:
    """Complete the document, in place."""
    known = examples.read()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            example = known.get((method, path))
            if example is not None:
                operation["x-codeSamples"] = [{"lang": "Shell", "source": example.curl}]
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if (body := content.pop(JSON, None)) is None:
                    if status == "200" and example is not None:
                        content.update({kind: each | {"example": example.answer} for kind, each in content.items()})
                    continue
                kind, shown = JSON, None
                if status.startswith("2"):
                    shown = example.answer if example else None
                elif path == "/healthz":
                    shown = examples.UNWELL
                else:
                    kind, shown = MEDIA_TYPE, examples.REFUSALS.get(status)
                response["content"] = {kind: body | ({} if shown is None else {"example": shown}), **content}
