-- A score from 0 to 100 beside each standing (docs/score.md); NULL where there is too little mail for one.
ALTER TABLE {database}.standings {on_cluster}
    ADD COLUMN IF NOT EXISTS overall_score Nullable(UInt8) AFTER exposure_rate,
    ADD COLUMN IF NOT EXISTS complaints_score Nullable(UInt8) AFTER overall_score,
    ADD COLUMN IF NOT EXISTS failures_score Nullable(UInt8) AFTER complaints_score,
    ADD COLUMN IF NOT EXISTS blocks_score Nullable(UInt8) AFTER failures_score,
    ADD COLUMN IF NOT EXISTS blacklisting_score Nullable(UInt8) AFTER blocks_score;

-- What was said of a subject last on each day (UTC), for 400 days: a hundred thousand customers with a stream each make
-- 80 million rows of a few bytes.
CREATE TABLE IF NOT EXISTS {database}.scores {on_cluster}
(
    customer           LowCardinality(String),
    scope              String,
    day                Date,
    updated            DateTime64(6, 'UTC'),
    standing           LowCardinality(String),
    overall_score      Nullable(UInt8),
    complaints_score   Nullable(UInt8),
    failures_score     Nullable(UInt8),
    blocks_score       Nullable(UInt8),
    blacklisting_score Nullable(UInt8)
)
ENGINE = {replacing_updated}
ORDER BY (customer, scope, day)
TTL day + INTERVAL 400 DAY;

-- Every row of a standing is also that day's, so whoever writes standings keeps the history without knowing.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.scores_of_standings {on_cluster} TO {database}.scores AS
SELECT customer, scope, toDate(updated) AS day, updated, standing,
    overall_score, complaints_score, failures_score, blocks_score, blacklisting_score
FROM {database}.standings;
