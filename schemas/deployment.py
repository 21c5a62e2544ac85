"""Which installation an event is of: what `source` says of a CloudEvent.

CloudEvents 1.0.2, section "source": producers must make sure that source and id together are unique for each distinct
event. Ids are derived from what happened, so two installations give the same ones; hence each source holds the id of
the store that decided.
"""

import re

import msgspec

#: The first part of every source.
ROOT = "/repmon"
#: What a name may be: it stands in a path, and a dot ends it.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """An installation. `id` is random, 16 hex digits, and lasts as long as its store; `name` is the operator's, and may
    be empty. Of one without an id nothing is known, and its sources are those of events before there were ids."""

    id: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        """How it is called: `mail-eu.5f0c9a417b22d85e`, or the id alone."""
        return f"{self.name}.{self.id}" if self.name and self.id else self.id

    def source(self, known: str) -> str:
        """The source of its events of a kind; `known` is that of a kind (`/repmon/monitor`)."""
        return f"{ROOT}/{self.label}{known.removeprefix(ROOT)}" if self.id else known

    def sent(self, source: str) -> bool:
        """Whether a source is of this deployment, whatever its name was then."""
        return bool(self.id) and re.match(rf"{ROOT}/([^/.]+\.)?{self.id}/", source) is not None


#: Nothing is known of it.
UNKNOWN = Deployment()


def names_no_deployment(source: str) -> bool:
    """Whether a source is from before sources named a deployment (`/repmon/monitor`)."""
    return re.fullmatch(rf"{ROOT}/[a-z]+", source) is not None


def fault_of_name(name: str) -> str:
    """What is wrong with a name; empty where nothing is."""
    return "" if not name or NAME.fullmatch(name) else "takes at most 63 letters, digits, _ and -, no sign first"
