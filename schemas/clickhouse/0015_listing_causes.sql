-- Whom each listing is to be blamed on (streams/attribution.py): who used the resource in the 48 hours before it began,
-- likeliest cause first, at the same place in each array. A row is written when a listing begins, and whole again when it
-- is confirmed, when it ends, or when counts of those hours came late. `users` counts everybody, the arrays hold the first
-- 100. `pool` is the IP pool the address was last used in, where that is known. `ended` is 1970 while it lasts.
CREATE TABLE IF NOT EXISTS {database}.listing_causes {on_cluster}
(
    resource   String,
    kind       LowCardinality(String),
    zone       LowCardinality(String),
    began      DateTime64(3, 'UTC'),
    weight     LowCardinality(String),
    confirmed  Bool,
    ended      DateTime64(3, 'UTC'),
    pool       LowCardinality(String),
    attributed LowCardinality(String),
    users      UInt32,
    customers  Array(String),
    volume     Array(UInt64),
    complaints Array(UInt64),
    invalid    Array(UInt64),
    blocked    Array(UInt64),
    excess     Array(Float64),
    shares     Array(Float64),
    updated    DateTime64(3, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY (resource, zone, began)
TTL toDateTime(began) + INTERVAL 400 DAY;
