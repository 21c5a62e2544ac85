-- What is to be sent to whom, stored before it is sent (`repmon notify`). The newest row of an id counts; `event` is
-- empty once it is sent. `place` is its order (epoch us), `batch` names those that go out together, and `done` is what
-- of it a target took already.
CREATE TABLE IF NOT EXISTS {database}.notifications {on_cluster}
(
    route     LowCardinality(String),
    id        String,
    event_id  String,
    lane      String,                 -- the customer, of whom one after another is sent
    reader    LowCardinality(String), -- the partition it came from: who reads that sends it
    batch     String,
    place     Int64,
    due       DateTime64(3, 'UTC'),
    taken     DateTime64(3, 'UTC'),
    state     LowCardinality(String), -- 'waiting', 'sent' or 'failed'
    tries     UInt32,
    next_try  DateTime64(3, 'UTC'),
    said      String,
    done      Array(String),
    event     String CODEC(ZSTD),
    updated   DateTime64(6, 'UTC'),
    INDEX by_updated updated TYPE minmax
)
ENGINE = {replacing_updated}
ORDER BY (route, id)
TTL toDateTime(taken) + INTERVAL 90 DAY;

-- Since when a route is there (what is older is not sent to it).
CREATE TABLE IF NOT EXISTS {database}.notification_routes {on_cluster}
(
    route   String,
    since   DateTime64(3, 'UTC'),
    updated DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY route;

-- What an Alertmanager was told last of an alert: what is open is posted again and again. `posted` is empty once it is
-- over.
CREATE TABLE IF NOT EXISTS {database}.notification_posted {on_cluster}
(
    route    LowCardinality(String),
    alert_id String,
    posted   String,
    updated  DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY (route, alert_id)
TTL toDateTime(updated) + INTERVAL 400 DAY;
