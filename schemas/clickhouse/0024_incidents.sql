-- Incidents that hit many customers together. What a person decided is a row of its own (`decided`) and counts before
-- what monitors find; `detail` is the whole as JSON. (Gaps in topics are in `incidents`.)
CREATE TABLE IF NOT EXISTS {database}.fleet_incidents {on_cluster}
(
    id         String,
    decided    Bool,
    dimension  LowCardinality(String),
    value      String,
    outcome    LowCardinality(String),
    state      LowCardinality(String),
    leaves_out Bool,
    open       Bool,
    hours      Array(DateTime('UTC')),
    detail     String CODEC(ZSTD(1)),
    updated    DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY (id, decided)
TTL toDateTime(updated) + INTERVAL 400 DAY;

-- The provider-hours whose mail nobody is judged by; `*` stands for every provider.
CREATE VIEW IF NOT EXISTS {database}.left_out {on_cluster} AS
SELECT DISTINCT value AS provider, arrayJoin(hours) AS hour
FROM {database}.fleet_incidents FINAL
WHERE leaves_out AND id NOT IN (SELECT id FROM {database}.fleet_incidents FINAL WHERE decided AND NOT leaves_out);
