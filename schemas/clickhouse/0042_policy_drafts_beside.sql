-- Drafts of policies that operators checked in the console, and what came of those that were tried (`days` over 0): as long
-- as they work on one, across restarts. A row is written when it is saved and again when its trial is over; `result` is JSON.
CREATE TABLE IF NOT EXISTS {database}.policy_drafts {on_cluster}
(
    saved      DateTime64(3, 'UTC'),
    who        String,
    updated    DateTime64(3, 'UTC'),
    text       String CODEC(ZSTD),
    days       UInt16,
    level      LowCardinality(String),
    instead_of Int64,
    state      LowCardinality(String),
    result     String CODEC(ZSTD)
)
ENGINE = {replacing_updated}
ORDER BY (saved, who)
TTL toDateTime(saved) + INTERVAL 90 DAY;
