"""The mail that nobody is judged by: that to a mailbox provider in an hour in which an incident hit many customers.

It stays counted. What is judged is read without it, numerator and denominator alike: by conditions of the `WHERE` of a
query over `counts`, with the view `left_out` of provider and hour, which is empty nearly always. Of a customer who is
bad beyond an incident (`streams.incidents.not_excused`) all mail of the hour counts.
"""

#: Customers and hours (UTC) that are not excused. A person who dismisses it takes it back.
NOT_EXCUSED = """SELECT value, arrayJoin(hours) FROM fleet_incidents FINAL
        WHERE dimension = 'customer' AND state = 'not_excused'
            AND id NOT IN (SELECT id FROM fleet_incidents FINAL WHERE decided)"""
#: Of rows by provider. `toStartOfHour(bucket)` is a column of the hourly projection.
NOT_LEFT_OUT = f"""((value, toStartOfHour(bucket)) NOT IN (SELECT provider, hour FROM left_out)
        AND toStartOfHour(bucket) NOT IN (SELECT hour FROM left_out WHERE provider = '*')
        OR (customer, toStartOfHour(bucket)) IN ({NOT_EXCUSED}))"""  # noqa: S608 - made of texts of this project only
#: Of rows that have no provider (by pool, by From domain): the whole hour.
HOUR_NOT_LEFT_OUT = "toStartOfHour(bucket) NOT IN (SELECT hour FROM left_out)"
#: The opposite of `NOT_LEFT_OUT`.
IS_LEFT_OUT = f"NOT ({NOT_LEFT_OUT})"
