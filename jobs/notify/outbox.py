"""What is to be sent, as it is stored: before it is sent, and after each try."""

from collections.abc import Container, Iterable, Sequence

from jobs.notify.notification import Notification, RouteTotals
from schemas.times import utc_time
from streams.io.store import ArrayParameter, Store

COLUMNS = """
route, id, event_id, lane, reader, batch, place, toUnixTimestamp64Milli(due), toUnixTimestamp64Milli(taken), state,
    tries, toUnixTimestamp64Milli(next_try), said, done, event,
    toUnixTimestamp64Micro(updated)
"""
#: What waits of what these partitions brought, or of all; of these routes and ids, or of all.
WAITING = f"""
SELECT {COLUMNS} FROM notifications FINAL
WHERE state = 'waiting' AND (reader IN {{readers:Array(String)}} OR {{all:Bool}})
    AND ({{every:Bool}} OR (route IN {{routes:Array(String)}} AND id IN {{ids:Array(String)}}))
ORDER BY place
"""  # noqa: S608 - made of texts of this project only
KNOWN = """
SELECT DISTINCT id FROM notifications WHERE route IN {routes:Array(String)} AND id IN {ids:Array(String)}
"""
#: What was stored as waiting after `since` (epoch us): cheap, and some of it may be sent by now.
RECENT = """
SELECT DISTINCT route, id FROM notifications
WHERE state = 'waiting' AND updated > fromUnixTimestamp64Micro({since:Int64})
"""
LAST_PLACE = "SELECT max(place) FROM notifications"
FAILED = f"""
SELECT {COLUMNS} FROM notifications FINAL
WHERE state = 'failed' AND ({{route:String}} = '' OR route = {{route:String}})
    AND updated >= fromUnixTimestamp64Milli({{since:Int64}})
ORDER BY place DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608 - made of texts of this project only
#: By route: what waits, since when, what of it was tried, what was said of it last, and what failed and was sent since
#: a time.
TOTALS = """
SELECT route, countIf(state = 'waiting' AND due <= fromUnixTimestamp64Milli({now:Int64})),
    toUnixTimestamp64Milli(minIf(due, state = 'waiting' AND due <= fromUnixTimestamp64Milli({now:Int64}))),
    maxIf(tries, state = 'waiting'), argMaxIf(said, updated, state = 'waiting' AND tries > 0),
    countIf(state = 'failed' AND updated >= fromUnixTimestamp64Milli({since:Int64})),
    countIf(state = 'sent' AND updated >= fromUnixTimestamp64Milli({since:Int64})),
    countIf(state = 'waiting' AND due > fromUnixTimestamp64Milli({now:Int64}))
FROM notifications FINAL GROUP BY route ORDER BY route
"""
ROUTES = "SELECT route, toUnixTimestamp64Milli(min(since)) FROM notification_routes GROUP BY route"
#: What was sent to the topics in the last hour in which anything was: an embedded broker forgets it.
LATEST = """
SELECT 'reputation.alerts', event FROM alerts FINAL
WHERE time > (SELECT max(time) FROM alerts) - INTERVAL 1 HOUR ORDER BY time, transition
UNION ALL
SELECT topic, event FROM outgoing_events FINAL
WHERE sent AND due > (SELECT max(due) FROM outgoing_events) - INTERVAL 1 HOUR ORDER BY due, updated
"""
POSTED = """
SELECT alert_id, argMax(posted, updated) AS last FROM notification_posted WHERE route = {route:String}
GROUP BY alert_id HAVING last != ''
"""
#: Ids bound to one query.
AT_ONCE = 500


class Outbox:
    """The tables of what is sent, on one connection; every method raises StoreError where the store failed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._updated_us = 0

    def save(self, items: Sequence[Notification], now_ms: int) -> None:
        """Store each as it is now; of what is sent, the event no more."""
        if not items:
            return
        # Newer than any row before, whatever the clock did.
        self._updated_us = max(self._updated_us + 1, now_ms * 1000, *(each.updated_us + 1 for each in items))
        count = len(items)
        self._store.insert(
            "notifications",
            {
                "route": [each.route for each in items],
                "id": [each.id for each in items],
                "event_id": [each.event_id for each in items],
                "lane": [each.lane for each in items],
                "reader": [each.reader for each in items],
                "batch": [each.batch for each in items],
                "place": [each.place for each in items],
                "due": [utc_time(each.due_ms) for each in items],
                "taken": [utc_time(each.taken_ms) for each in items],
                "state": [each.state for each in items],
                "tries": [each.tries for each in items],
                "next_try": [utc_time(each.next_try_ms) for each in items],
                "said": [each.said for each in items],
                "done": [list(each.done) for each in items],
                "event": ["" if each.state == "sent" else each.event for each in items],
                "updated": [utc_time(self._updated_us / 1000)] * count,
            },
        )

    def waiting(self, readers: Sequence[str] | None) -> list[Notification]:
        """What waits of these partitions, or of all, in its order."""
        return self._waiting(readers, None)

    def given_back(self, readers: Sequence[str] | None, since_us: int, held: Container[str]) -> list[Notification]:
        """The same of what was stored as waiting after `since_us` (epoch us) and is none of those `held`."""
        found = [(str(route), str(id_)) for route, id_ in self._store.rows(RECENT, {"since": since_us})]
        new = [each for each in found if each[1] not in held]
        return self._waiting(readers, new) if new else []

    def _waiting(self, readers: Sequence[str] | None, named: Sequence[tuple[str, str]] | None) -> list[Notification]:
        bound = {
            "readers": ArrayParameter(readers or []),
            "all": readers is None,
            "every": named is None,
            "routes": ArrayParameter(sorted({route for route, _ in named or ()})),
            "ids": ArrayParameter([id_ for _, id_ in named or ()]),
        }
        return [_notification(row) for row in self._store.rows(WAITING, bound)]

    def known(self, routes: Iterable[str], ids: Iterable[str]) -> set[str]:
        """Those of the ids of these routes that are stored."""
        wanted, of, found = list(ids), ArrayParameter(sorted(set(routes))), set()
        for start in range(0, len(wanted), AT_ONCE):
            bound = {"routes": of, "ids": ArrayParameter(wanted[start : start + AT_ONCE])}
            found |= {str(each) for (each,) in self._store.rows(KNOWN, bound)}
        return found

    def last_place(self) -> int:
        """The highest place there is (epoch us)."""
        return int(self._store.rows(LAST_PLACE)[0][0])

    def failed(self, route: str = "", since_ms: int = 0, limit: int = 1_000_000) -> list[Notification]:
        """Dead letters, newest first."""
        bound = {"route": route, "since": since_ms, "limit": limit}
        return [_notification(row) for row in self._store.rows(FAILED, bound)]

    def totals(self, now_ms: int, since_ms: int) -> list[RouteTotals]:
        """What is stored of each route."""
        return [RouteTotals(*row) for row in self._store.rows(TOTALS, {"now": now_ms, "since": since_ms})]

    def routes_since(self, names: Sequence[str], now_ms: int) -> dict[str, int]:
        """Since when each of these routes is there (epoch ms): those that are new, since now."""
        found = {str(name): int(since) for name, since in self._store.rows(ROUTES)}
        if new := [each for each in names if each not in found]:
            columns: dict[str, Sequence[object]] = {
                "route": new,
                "since": [utc_time(now_ms)] * len(new),
                "updated": [utc_time(now_ms)] * len(new),
            }
            self._store.insert("notification_routes", columns)
        return {name: found.get(name, now_ms) for name in names}

    def latest(self) -> list[tuple[str, str]]:
        """Topic and event of what was sent in the last hour in which anything was; what people decided is without the
        deployment in its source."""
        return [(str(topic), str(event)) for topic, event in self._store.rows(LATEST)]

    def posted(self, route: str) -> dict[str, str]:
        """What an Alertmanager was told last of each alert that is open, by the alert's id."""
        return {str(alert): str(posted) for alert, posted in self._store.rows(POSTED, {"route": route})}

    def save_posted(self, posted: Sequence[tuple[str, str, str]], now_ms: int) -> None:
        """Store route, alert and what was posted of it."""
        if posted:
            self._updated_us = max(self._updated_us + 1, now_ms * 1000)
            routes, alerts, texts = (list(each) for each in zip(*posted, strict=True))
            updated = [utc_time(self._updated_us / 1000)] * len(posted)
            self._store.insert(
                "notification_posted", {"route": routes, "alert_id": alerts, "posted": texts, "updated": updated}
            )


def _notification(row: Sequence[object]) -> Notification:
    route, id_, event_id, lane, reader, batch, place, due, taken, state, tries, next_try, said, done, event, updated = (
        row
    )
    return Notification(
        route=str(route),
        id=str(id_),
        event_id=str(event_id),
        lane=str(lane),
        reader=str(reader),
        batch=str(batch),
        place=int(str(place)),
        due_ms=int(str(due)),
        taken_ms=int(str(taken)),
        state="failed" if state == "failed" else "waiting",
        tries=int(str(tries)),
        next_try_ms=int(str(next_try)),
        said=str(said),
        done=tuple(str(each) for each in done) if isinstance(done, list | tuple) else (),
        event=str(event),
        updated_us=int(str(updated)),
    )
