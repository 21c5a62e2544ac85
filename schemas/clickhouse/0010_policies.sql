-- Every policy that was applied, whole, in order; the one applied last is in force (jobs/policy_store.py). Rows are only
-- ever added, and are kept for good: without them nobody could say by what a verdict was reached.
CREATE TABLE IF NOT EXISTS {database}.policies {on_cluster}
(
    applied    DateTime64(6, 'UTC'),
    version    String,
    applied_by String,
    why        String,
    text       String CODEC(ZSTD)
)
ENGINE = {replacing}
ORDER BY (applied, version, applied_by);

-- What people decided: policies applied, alerts acknowledged, verdicts overridden. Rows are only ever added, and only the
-- very same row twice is one. `subject` is what was acted on, within `customer` if it has one; `detail` is JSON.
CREATE TABLE IF NOT EXISTS {database}.audit {on_cluster}
(
    time     DateTime64(3, 'UTC'),
    who      String,
    action   LowCardinality(String),
    customer String,
    subject  String,
    why      String,
    detail   String CODEC(ZSTD)
)
ENGINE = {replacing}
PRIMARY KEY (time, action, customer)
ORDER BY (time, action, customer, subject, who, why, detail)
TTL toDateTime(time) + INTERVAL 800 DAY;
