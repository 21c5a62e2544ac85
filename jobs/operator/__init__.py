"""What operators decide: policies, overrides, suspensions, acknowledgements, lists of customers.

Comes in: who decided what, and why. Goes out: rows in the store that `streams.decisions` reads, each with its row in
the audit, and the topic `reputation.policies`. `try_policy` replays another policy over what is stored and changes
nothing. Imported by the command line and by what prints its results.
"""
