"""Kafka in, counts stored exactly once, changed customers announced.

In come messages of the topics that the settings name, and of `mail.blocklistings`. Out go rows of counts with the
offset they reach to, evidence, dead letters, and messages of `reputation.changes`. `ingest` is the worker, `partitions`
says what it reads and from where on, `flusher` is its second thread, and `flush` the argument why each event counts
once; `batch`, `count`, `seen`, `records` and `refusals` are pure. It uses `io`, `adapt`, `bounces`, `subjects` and
`listings`. No room of `streams` imports it; api does, which starts workers, and jobs, for the bounds of time and for
reading again what was set aside.
"""
