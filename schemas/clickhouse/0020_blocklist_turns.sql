-- When each blocklist was asked last, when it is due, and where on the circle of resources its next turn begins: without
-- it a restart would ask all lists about everything at once.
CREATE TABLE IF NOT EXISTS {database}.blocklist_turns {on_cluster}
(
    zone      LowCardinality(String),
    asked     DateTime64(3, 'UTC'),
    questions UInt32,
    due       DateTime64(3, 'UTC'),
    place     UInt32,
    updated   DateTime64(3, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY zone;
