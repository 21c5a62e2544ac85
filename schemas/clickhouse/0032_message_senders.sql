-- Who sent each message that was delivered at a provider that reports complaints: for reports that hide sender and recipient
-- (the place `message-id`, docs/formats.md). Written only where that place is configured. A hash is over the message id.
CREATE TABLE IF NOT EXISTS {database}.message_senders {on_cluster}
(
    day      Date,
    hash     UInt64 CODEC(NONE),
    customer LowCardinality(String)
)
ENGINE = {replacing}
PARTITION BY day
ORDER BY (hash, customer)
TTL day + INTERVAL 45 DAY
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024;
