-- What mailbox providers report of a domain or an address, by day (`repmon poll`). Asked again, a day replaces what was
-- known of it. `customer` is whose the domain or address is, empty where it is nobody's alone. No row is unknown, not 0.
CREATE TABLE IF NOT EXISTS {database}.provider_reports {on_cluster}
(
    source   LowCardinality(String), -- 'postmaster' (Gmail) or 'snds' (Microsoft)
    resource String,
    day      Date,                   -- the provider's
    measure  LowCardinality(String),
    about    String,                 -- the identifier of a feedback loop, or a requirement
    customer String,
    rate     Nullable(Float64),      -- a ratio
    below    Bool,                   -- only that it is below `rate` is known
    number   Nullable(Int64),
    said     LowCardinality(String),
    updated  DateTime64(3, 'UTC')
)
ENGINE = {replacing_updated}
PARTITION BY toYYYYMM(day)
ORDER BY (source, resource, day, measure, about)
TTL day + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1;
