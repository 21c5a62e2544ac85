-- What `suspend-hook` does about customers (docs/suspending.md), one row for each action on each part of their mail: what
-- is to be done is stored before it is done, and what became of it after. The row of the highest version counts; `detail`
-- is the whole as JSON. `mode` is `act`, or `dry` for what was only walked through.
CREATE TABLE IF NOT EXISTS {database}.hook_actions {on_cluster}
(
    mode     LowCardinality(String),
    customer String,
    scope    String,
    action   String,
    state    LowCardinality(String),
    detail   String CODEC(ZSTD),
    changed  DateTime64(3, 'UTC'),
    version  UInt64
)
ENGINE = {replacing_version}
ORDER BY (mode, customer, scope, action);

-- Which hook acts. Who holds the highest epoch may, until that is over; the token of an epoch's INSERT keeps a second one
-- out. Epochs are a part of every version above, so they are never forgotten.
CREATE TABLE IF NOT EXISTS {database}.hook_leases {on_cluster}
(
    mode    LowCardinality(String),
    epoch   UInt64,
    owner   String,
    until   DateTime64(3, 'UTC'),
    updated DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY (mode, epoch)
SETTINGS {dedup_window} = 1000;

-- How far a hook has read each partition of the alerts, by the topic's id.
CREATE TABLE IF NOT EXISTS {database}.hook_positions {on_cluster}
(
    mode        LowCardinality(String),
    topic_id    String,
    partition   UInt32,
    next_offset Int64,
    updated     DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY (mode, topic_id, partition);
