"""The mail that nobody is judged by: that to a mailbox provider in an hour in which an incident hit many customers.

It stays counted. What is judged is read without it, numerator and denominator alike: by conditions of the `WHERE` of a
query over `counts`, with the view `left_out` of provider and hour, which is empty nearly always. Of a customer who is
bad beyond an incident (`streams.incidents.not_excused`) all mail of the hour counts. To look the view up takes a third
to a half of the time of a short query, so who knows what is left out binds that in its place
(`streams.subjects.totals.bound`).
"""

from collections.abc import Collection, Mapping

#: A provider (`*` for all of them) and the beginning of an hour (epoch s).
ProviderHour = tuple[str, int]
#: What is left out, as far as somebody knows; None where that is not known.
KnownLeftOut = Collection[ProviderHour] | None

_PAIRS, _HOURS = "(SELECT provider, hour FROM left_out)", "(SELECT hour FROM left_out)"
_HOURS_EVERYWHERE = "(SELECT hour FROM left_out WHERE provider = '*')"
#: Customers and hours (UTC) that are not excused. A person who dismisses it takes it back.
NOT_EXCUSED = """SELECT value, arrayJoin(hours) FROM fleet_incidents FINAL
        WHERE dimension = 'customer' AND state = 'not_excused'
            AND id NOT IN (SELECT id FROM fleet_incidents FINAL WHERE decided)"""
#: Of rows by provider. `toStartOfHour(bucket)` is a column of the hourly projection.
NOT_LEFT_OUT = f"""((value, toStartOfHour(bucket)) NOT IN {_PAIRS}
        AND toStartOfHour(bucket) NOT IN {_HOURS_EVERYWHERE}
        OR (customer, toStartOfHour(bucket)) IN ({NOT_EXCUSED}))"""
#: Of rows that have no provider (by pool, by From domain): the whole hour.
HOUR_NOT_LEFT_OUT = f"toStartOfHour(bucket) NOT IN {_HOURS}"
#: The opposite of `NOT_LEFT_OUT`.
IS_LEFT_OUT = f"NOT ({NOT_LEFT_OUT})"

#: More provider-hours than so many are looked up by the store: over HTTP what is bound is part of the address.
MOST_BOUND = 200
#: What stands for each look-up where that is bound.
BOUND: Mapping[str, str] = {
    _PAIRS: "arrayZip({left_out:Array(String)}, {left_out_hours:Array(DateTime('UTC'))})",
    _HOURS_EVERYWHERE: "{left_out_everywhere:Array(DateTime('UTC'))}",
    _HOURS: "{left_out_hours:Array(DateTime('UTC'))}",
}
