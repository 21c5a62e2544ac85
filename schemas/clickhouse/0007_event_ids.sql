-- Which event ids came, so that the same event counts once. A hash is over id, customer and type (streams/count.py).
-- Rows are written before the counts of the same flush. They mean something only where those were stored, that is,
-- up to the last offset of their source: what is above belongs to a flush that failed and will come again.

-- Ids of deliveries and the like: whoever takes up a partition reads the last 24 hours of it into memory.
CREATE TABLE IF NOT EXISTS {database}.seen_ids {on_cluster}
(
    topic       LowCardinality(String),
    partition   UInt32,
    came        DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    hash        UInt64 CODEC(NONE),
    source      LowCardinality(String),
    last_offset Int64 CODEC(DoubleDelta, ZSTD)
)
ENGINE = {replacing}
PARTITION BY toStartOfInterval(came, INTERVAL 6 HOUR)
ORDER BY (topic, partition, came, source, hash, last_offset)
TTL came + INTERVAL 30 HOUR
SETTINGS ttl_only_drop_parts = 1;

-- Ids of bounces, complaints and other negative events, asked for by hash at each flush.
CREATE TABLE IF NOT EXISTS {database}.negative_ids {on_cluster}
(
    hash     UInt64 CODEC(NONE),
    source   LowCardinality(String),
    position Int64,
    came     DateTime('UTC') CODEC(ZSTD)
)
ENGINE = {replacing}
ORDER BY (hash, source, position)
TTL came + INTERVAL 31 DAY
SETTINGS index_granularity = 512;

-- What operators must know of the intake: events that were lost before they could be read, a stop for bad input.
CREATE TABLE IF NOT EXISTS {database}.incidents {on_cluster}
(
    time   DateTime64(3, 'UTC'),
    kind   LowCardinality(String),
    source LowCardinality(String),
    lost   UInt64,
    detail String
)
ENGINE = {replacing}
ORDER BY (kind, source, detail)
TTL toDateTime(time) + INTERVAL 400 DAY;
