"""The edges to Kafka and to ClickHouse, and what they share.

In come queries, rows and messages of ours; out go the store's answers, messages acknowledged by the broker, and one
error for each edge (`StoreError`, `BrokerError`). `changes` says what stands in a message of `reputation.changes`, and
`instrument` what a metric is; both are pure. The ground floor: it uses no other room, and every room may import it but
`adapt`, `bounces` and `judge`, which neither read nor write.
"""
