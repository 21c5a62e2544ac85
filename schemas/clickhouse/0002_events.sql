-- Negative events, row by row: the evidence behind a verdict. Written before the counts of the same flush;
-- a flush that is repeated writes the same (source, position, id) again, which FINAL reads once.
CREATE TABLE IF NOT EXISTS {database}.events {on_cluster}
(
    customer         LowCardinality(String),
    time             DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    type             LowCardinality(String),
    id               String,
    stream           LowCardinality(String),
    class            Enum8('transactional' = 1, 'bulk' = 2),
    message_id       String,
    recipient_hash   String,
    recipient_domain String,
    provider         LowCardinality(String),
    sending_ip       String,
    ip_pool          LowCardinality(String),
    from_domain      LowCardinality(String),
    campaign         String,
    smtp_code        UInt16,
    enhanced_status  LowCardinality(String),
    diagnostic       String CODEC(ZSTD),
    bounce_class     LowCardinality(String),
    bounce_kind      LowCardinality(String),
    feedback_type    LowCardinality(String),
    asynchronous     Bool,
    source           LowCardinality(String),
    position         Int64
)
ENGINE = {replacing}
ORDER BY (customer, time, source, position, id)
TTL toDateTime(time) + INTERVAL 120 DAY;

-- What could not be read, with its bytes: a copy of what goes to the dead-letter topic.
CREATE TABLE IF NOT EXISTS {database}.dead_letters {on_cluster}
(
    topic    LowCardinality(String),
    source   LowCardinality(String),
    position Int64,
    time     DateTime64(3, 'UTC'),
    reason   String,
    payload  String CODEC(ZSTD)
)
ENGINE = {replacing}
ORDER BY (topic, source, position)
TTL toDateTime(time) + INTERVAL 30 DAY;
