-- Counts at minute grain, and with them the offset up to which each source is counted.
--
-- One flush of one source partition is one INSERT of one block into this table, so it lands in one part or
-- not at all: hence no PARTITION BY. insert_deduplication_token keeps a second INSERT of the same flush out.
--
-- dimension says what `value` holds: 'provider' (mailbox provider), 'ip' (sending address), 'pool' (IP pool), or
-- 'offset' for the one row a flush writes even when it counted nothing. Each event is counted once in each
-- of 'provider', 'ip' and 'pool': a query names exactly one dimension.
CREATE TABLE IF NOT EXISTS {database}.counts {on_cluster}
(
    dimension    Enum8('provider' = 1, 'ip' = 2, 'pool' = 3, 'offset' = 4),
    customer     LowCardinality(String),
    stream       LowCardinality(String),
    class        Enum8('transactional' = 1, 'bulk' = 2),
    bucket       DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    value        LowCardinality(String),
    source       LowCardinality(String),
    delivered    SimpleAggregateFunction(sum, UInt64),
    hard         SimpleAggregateFunction(sum, UInt64),
    soft         SimpleAggregateFunction(sum, UInt64),
    block        SimpleAggregateFunction(sum, UInt64),
    expired      SimpleAggregateFunction(sum, UInt64),
    late_hard    SimpleAggregateFunction(sum, UInt64),
    late_soft    SimpleAggregateFunction(sum, UInt64),
    late_block   SimpleAggregateFunction(sum, UInt64),
    complained   SimpleAggregateFunction(sum, UInt64),
    unsubscribed SimpleAggregateFunction(sum, UInt64),
    deferred     SimpleAggregateFunction(sum, UInt64),
    suppressed   SimpleAggregateFunction(sum, UInt64),
    rejected     SimpleAggregateFunction(sum, UInt64),
    reported     SimpleAggregateFunction(sum, UInt64),
    last_offset  SimpleAggregateFunction(max, Int64),

    PROJECTION by_source (SELECT source, max(last_offset) GROUP BY source),

    PROJECTION hourly
    (
        SELECT
            dimension, customer, stream, class, toStartOfHour(bucket), value,
            sum(delivered), sum(hard), sum(soft), sum(block), sum(expired),
            sum(late_hard), sum(late_soft), sum(late_block),
            sum(complained), sum(unsubscribed), sum(deferred), sum(suppressed), sum(rejected), sum(reported)
        GROUP BY dimension, customer, stream, class, toStartOfHour(bucket), value
    )
)
ENGINE = {aggregating}
ORDER BY (dimension, customer, stream, class, bucket, value, source)
TTL bucket + INTERVAL 400 DAY
SETTINGS {dedup_window} = 10000, deduplicate_merge_projection_mode = 'rebuild';
