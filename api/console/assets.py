"""Style and script of the pages, as they lie in the package. Their addresses change with what they hold."""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A file: what it holds, its type, and what stands in its address."""

    content: bytes
    media_type: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """All files, by name."""
    return {
        each.name: Asset(content, TYPES[each.suffix], hashlib.sha256(content).hexdigest()[:12])
        for each in sorted(FOLDER.iterdir())
        if each.suffix in TYPES
        for content in (each.read_bytes(),)
    }


def address(name: str) -> str:
    """Where a file is."""
    return f"/console/static/{name}?v={assets()[name].version}"
