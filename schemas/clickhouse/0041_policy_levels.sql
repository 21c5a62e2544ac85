-- The thresholds by which a monitor judges, since when: what graphs draw. One row for each level of each rule of a policy,
-- all of one policy with the same time. The latest time counts; overrides of single customers are not in it.
CREATE TABLE IF NOT EXISTS {database}.policy_levels {on_cluster}
(
    since     DateTime64(3, 'UTC'),
    rule      String,
    metric    LowCardinality(String),
    windows   Array(String),
    providers Array(String),
    level     LowCardinality(String),
    threshold Float64,
    version   String
)
ENGINE = {replacing}
ORDER BY (since, rule, level)
TTL toDateTime(since) + INTERVAL 800 DAY;
