"""The mail that nobody is judged by: that to a mailbox provider in an hour in which an incident hit many customers.

It stays counted. What is judged is read without it, numerator and denominator alike: by conditions of the `WHERE` of a
query over `counts`, with the view `left_out` of provider and hour, which is empty nearly always.
"""

#: Of rows by provider. `toStartOfHour(bucket)` is a column of the hourly projection.
NOT_LEFT_OUT = """(value, toStartOfHour(bucket)) NOT IN (SELECT provider, hour FROM left_out)
        AND toStartOfHour(bucket) NOT IN (SELECT hour FROM left_out WHERE provider = '*')"""
#: Of rows that have no provider (by pool, by From domain): the whole hour.
HOUR_NOT_LEFT_OUT = "toStartOfHour(bucket) NOT IN (SELECT hour FROM left_out)"
#: The opposite of `NOT_LEFT_OUT`.
IS_LEFT_OUT = f"NOT ({NOT_LEFT_OUT})"
