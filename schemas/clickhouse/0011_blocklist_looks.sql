-- What the blocklist scan has yet to see a second time, and when each listing was last looked at with an answer: without
-- it a restart would forget a first look. The listings themselves are in listing_events.
CREATE TABLE IF NOT EXISTS {database}.blocklist_looks {on_cluster}
(
    resource String,
    zone     LowCardinality(String),
    said     LowCardinality(String), -- what waits for a second look: a weight, 'clear', or '' for nothing
    since    DateTime64(3, 'UTC'),
    resolver LowCardinality(String),
    looked   DateTime64(3, 'UTC'),
    updated  DateTime64(3, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY (resource, zone)
TTL toDateTime(updated) + INTERVAL 400 DAY;

-- Which zones are believed; `since` is when that last changed.
CREATE TABLE IF NOT EXISTS {database}.blocklist_trust {on_cluster}
(
    zone    LowCardinality(String),
    family  LowCardinality(String),
    trusted Bool,
    reason  String,
    since   DateTime64(3, 'UTC'),
    updated DateTime64(3, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY (zone, family);
