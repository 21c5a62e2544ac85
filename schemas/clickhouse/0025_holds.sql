-- Customers who newly reached excessive or worse, and when: what the brake counts (docs/alerts.md).
CREATE TABLE IF NOT EXISTS {database}.newly_excessive {on_cluster}
(
    customer String,
    time     DateTime64(3, 'UTC')
)
ENGINE = {replacing}
ORDER BY (time, customer)
TTL toDateTime(time) + INTERVAL 30 DAY;

-- Holds: what rose in this time is held until an operator decides. `detail` is the whole as JSON.
CREATE TABLE IF NOT EXISTS {database}.holds {on_cluster}
(
    id      String,
    reason  LowCardinality(String),
    until   DateTime64(3, 'UTC'),
    detail  String,
    updated DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY id
TTL toDateTime(updated) + INTERVAL 400 DAY;
