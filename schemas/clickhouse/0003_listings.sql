-- Every blocklist event; the listing intervals are read from it (see streams/sql/listings.sql).
CREATE TABLE IF NOT EXISTS {database}.listing_events {on_cluster}
(
    resource  String,
    kind      LowCardinality(String),
    zone      LowCardinality(String),
    time      DateTime64(3, 'UTC'),
    type      LowCardinality(String),
    weight    LowCardinality(String),
    codes     Array(String),
    meaning   String,
    reason    String,
    confirmed Bool,
    id        String,
    source    LowCardinality(String),
    position  Int64
)
ENGINE = {replacing}
ORDER BY (resource, zone, time, id)
TTL toDateTime(time) + INTERVAL 400 DAY;
