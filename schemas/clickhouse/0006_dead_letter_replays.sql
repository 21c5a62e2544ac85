-- Who sent a dead letter to its topic again, and when. Rows are only ever added; they outlive the letter, so that
-- what was done can still be told. `mended`: other bytes were sent than the letter's own. `forced`: it was sent
-- although it could not be read, or a second time.
CREATE TABLE IF NOT EXISTS {database}.dead_letter_replays {on_cluster}
(
    topic       LowCardinality(String),
    source      LowCardinality(String),
    position    Int64,
    time        DateTime64(6, 'UTC'),
    replayed_by String,
    mended      Bool,
    forced      Bool
)
ENGINE = {replacing}
ORDER BY (topic, source, position, time, replayed_by)
TTL toDateTime(time) + INTERVAL 400 DAY;
