-- One row a transition of an alert: opened, escalated, de-escalated, resolved. `event` is the CloudEvent sent.
CREATE TABLE IF NOT EXISTS {database}.alerts {on_cluster}
(
    customer       LowCardinality(String),
    time           DateTime64(3, 'UTC'),
    id             String,
    scope          String,
    rule           LowCardinality(String),
    episode        UInt32,
    transition     UInt32,
    kind           LowCardinality(String),
    level          LowCardinality(String),
    previous_level LowCardinality(String),
    window         LowCardinality(String),
    numerator      UInt64,
    denominator    UInt64,
    rate           Float64,
    lower          Float64,
    upper          Float64,
    threshold      Float64,
    policy_version String,
    event          String CODEC(ZSTD)
)
ENGINE = {replacing}
ORDER BY (customer, id)
TTL toDateTime(time) + INTERVAL 400 DAY;

-- The alert life of each (customer, scope, rule), newest version wins. `state` is the lifecycle's state as JSON.
CREATE TABLE IF NOT EXISTS {database}.alert_states {on_cluster}
(
    customer LowCardinality(String),
    scope    String,
    rule     LowCardinality(String),
    updated  DateTime64(6, 'UTC'),
    level    LowCardinality(String),
    state    String
)
ENGINE = {replacing_updated}
ORDER BY (customer, scope, rule);

-- Where each customer stands now, with the numbers of the 24 h window.
CREATE TABLE IF NOT EXISTS {database}.standings {on_cluster}
(
    customer       LowCardinality(String),
    scope          String,
    updated        DateTime64(6, 'UTC'),
    standing       LowCardinality(String),
    since          DateTime64(3, 'UTC'),
    volume         UInt64,
    complaint_rate Float64,
    failure_rate   Float64,
    block_rate     Float64,
    exposure_rate  Float64,
    reasons        Array(String),
    policy_version String
)
ENGINE = {replacing_updated}
ORDER BY (customer, scope);
