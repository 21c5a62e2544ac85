-- Events of what people decided, stored before the decision is in force and sent by a monitor from `due` on; then stored
-- again as sent. One that was not sent within 30 days (no topic keeps it longer) is not sent any more.
CREATE TABLE IF NOT EXISTS {database}.outgoing_events {on_cluster}
(
    id      String,
    due     DateTime64(3, 'UTC'),
    topic   LowCardinality(String),
    event   String CODEC(ZSTD(1)),
    sent    Bool,
    updated DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY id
TTL toDateTime(due) + INTERVAL 60 DAY;
