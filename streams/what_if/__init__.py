"""Another policy over the same history: whom it would have flagged, and when.

In come counts by the hour and listings from the store, and policies; out go the transitions that each policy would have
made, and the differences. It judges and lives alerts by the code of the monitor and stores nothing. Only
`jobs.operator.try_policy` and what prints its answer import it.
"""
