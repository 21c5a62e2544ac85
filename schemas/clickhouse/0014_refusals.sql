-- Who asked for no more mail, from whom: a hash (streams/refusals.py) of each complaint and unsubscription, and when.
CREATE TABLE IF NOT EXISTS {database}.refusals {on_cluster}
(
    hash UInt64 CODEC(NONE),
    time DateTime64(3, 'UTC'),
    came DateTime('UTC')
)
ENGINE = {replacing}
ORDER BY (hash, time)
TTL toDateTime(time) + INTERVAL 400 DAY;

-- Mail that was delivered all the same, long after; one row a message. Written only with ingest.refusals.
CREATE TABLE IF NOT EXISTS {database}.unwanted_mail {on_cluster}
(
    customer       LowCardinality(String),
    time           DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    stream         LowCardinality(String),
    id             String,
    message_id     String,
    recipient_hash String,
    refused        DateTime64(3, 'UTC'),
    source         LowCardinality(String),
    position       Int64
)
ENGINE = {replacing}
ORDER BY (customer, time, source, position, id)
TTL toDateTime(time) + INTERVAL 120 DAY;
