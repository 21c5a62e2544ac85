"""One name, one thing: no two public classes of the product share a name by accident."""

import re
from collections import defaultdict
from pathlib import Path

from tests.support.root import ROOT

PACKAGES = ("schemas", "streams", "jobs", "api", "dashboards", "repmon")
#: What the HTTP interface answers: a class of the same name elsewhere is the same thing, as it is kept or sent.
MIRRORS = ("api/http/models/", "api/routes/models/")
PUBLIC_CLASS = re.compile(r"^class ([^_\W]\w*)", re.MULTILINE)


def test_every_public_class_has_a_name_of_its_own() -> None:
    defined: dict[str, list[str]] = defaultdict(list)
    for file in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for name in PUBLIC_CLASS.findall(file.read_text(encoding="utf-8")):
            defined[name].append(str(Path(file).relative_to(ROOT)))
    shared = {
        name: files
        for name, files in defined.items()
        if len(files) > 2 or (len(files) == 2 and sum(each.startswith(MIRRORS) for each in files) != 1)
    }
    assert len(defined) > 200
    assert not shared
