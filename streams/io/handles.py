"""File handles of this process, and how many connections its servers may hold so that some are left to the stage."""

import resource

#: Handles of the process that no connection takes: files of the store, connections to it and to the broker.
RESERVE = 256
#: More handles than anybody here needs.
MANY = 65_536
#: Connections of one server, at least.
LEAST = 8


def raise_handles() -> int:
    """Let this process have as many handles as it may; returns how many these are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY if hard == resource.RLIM_INFINITY else min(hard, MANY)
    if soft not in (resource.RLIM_INFINITY, wanted) and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return MANY if soft == resource.RLIM_INFINITY else soft


def most_connections(handles: int, most: int, part: int) -> int:
    """How many connections a server may hold in a process with so many handles: at most `most`, and one for every
    `part` handles that are not reserved. The servers of one process share them: the API takes a half, the broker's
    gate a quarter (two a connection), the store an eighth."""
    return min(most, max(LEAST, (handles - RESERVE) // part))
