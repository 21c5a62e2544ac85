-- All tables and views as they stand after all migrations, on a single server; with a cluster their engines are the
-- replicated ones. Written by `make schemas` from a migrated store, to be read: a change is a new numbered migration.

CREATE TABLE reputation.alert_states
(
    `customer` LowCardinality(String),
    `scope` String,
    `rule` LowCardinality(String),
    `updated` DateTime64(6, 'UTC'),
    `level` LowCardinality(String),
    `state` String,
    `unsent` Array(String)
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (customer, scope, rule)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.alerts
(
    `customer` LowCardinality(String),
    `time` DateTime64(3, 'UTC'),
    `id` String,
    `scope` String,
    `rule` LowCardinality(String),
    `episode` UInt32,
    `transition` UInt32,
    `kind` LowCardinality(String),
    `cause` LowCardinality(String),
    `level` LowCardinality(String),
    `previous_level` LowCardinality(String),
    `window` LowCardinality(String),
    `numerator` UInt64,
    `denominator` UInt64,
    `rate` Float64,
    `lower` Float64,
    `upper` Float64,
    `threshold` Float64,
    `policy_version` String,
    `event` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (customer, id)
TTL toDateTime(time) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.api_key_uses
(
    `key_hash` String,
    `updated` DateTime('UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY key_hash
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.api_keys
(
    `key_hash` String,
    `customer` String,
    `label` String,
    `scopes` Array(LowCardinality(String)) DEFAULT ['read'],
    `created` DateTime64(3, 'UTC'),
    `expires` DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC'),
    `replaces` String,
    `revoked` Bool,
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY key_hash
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.audit
(
    `time` DateTime64(3, 'UTC'),
    `who` String,
    `action` LowCardinality(String),
    `customer` String,
    `subject` String,
    `why` String,
    `detail` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PRIMARY KEY (time, action, customer)
ORDER BY (time, action, customer, subject, who, why, detail)
TTL toDateTime(time) + toIntervalDay(800)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.blocklist_looks
(
    `resource` String,
    `zone` LowCardinality(String),
    `said` LowCardinality(String),
    `since` DateTime64(3, 'UTC'),
    `resolver` LowCardinality(String),
    `looked` DateTime64(3, 'UTC'),
    `updated` DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (resource, zone)
TTL toDateTime(updated) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.blocklist_trust
(
    `zone` LowCardinality(String),
    `family` LowCardinality(String),
    `trusted` Bool,
    `reason` String,
    `since` DateTime64(3, 'UTC'),
    `updated` DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (zone, family)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.blocklist_turns
(
    `zone` LowCardinality(String),
    `asked` DateTime64(3, 'UTC'),
    `questions` UInt32,
    `due` DateTime64(3, 'UTC'),
    `place` UInt32,
    `updated` DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY zone
SETTINGS index_granularity = 8192;

CREATE VIEW reputation.cohort_complaint_rate
(
    `customer` LowCardinality(String),
    `provider` LowCardinality(String),
    `day` Date,
    `delivered` UInt64,
    `complained` UInt64
)
AS SELECT
    customer,
    provider,
    day,
    sum(n_delivered) AS delivered,
    sum(n_complained) AS complained
FROM
(
    SELECT
        customer,
        value AS provider,
        toDate(bucket) AS day,
        sum(delivered) AS n_delivered,
        0 AS n_complained
    FROM reputation.counts
    WHERE dimension = 'provider'
    GROUP BY
        customer,
        provider,
        day
    UNION ALL
    SELECT
        customer,
        provider,
        sent_day AS day,
        0 AS n_delivered,
        count() AS n_complained
    FROM reputation.events
    FINAL
    WHERE (type = 'complained') AND (feedback_type IN ('', 'abuse', 'fraud', 'virus', 'other', 'opt-out'))
    GROUP BY
        customer,
        provider,
        day
)
GROUP BY
    customer,
    provider,
    day;

CREATE TABLE reputation.counts
(
    `dimension` Enum8('provider' = 1, 'ip' = 2, 'pool' = 3, 'offset' = 4, 'from' = 5, 'dkim' = 6),
    `customer` LowCardinality(String),
    `stream` LowCardinality(String),
    `class` Enum8('transactional' = 1, 'bulk' = 2),
    `bucket` DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    `value` LowCardinality(String),
    `source` LowCardinality(String),
    `delivered` SimpleAggregateFunction(sum, UInt64),
    `hard` SimpleAggregateFunction(sum, UInt64),
    `soft` SimpleAggregateFunction(sum, UInt64),
    `block` SimpleAggregateFunction(sum, UInt64),
    `expired` SimpleAggregateFunction(sum, UInt64),
    `late_hard` SimpleAggregateFunction(sum, UInt64),
    `late_soft` SimpleAggregateFunction(sum, UInt64),
    `late_block` SimpleAggregateFunction(sum, UInt64),
    `complained` SimpleAggregateFunction(sum, UInt64),
    `unsubscribed` SimpleAggregateFunction(sum, UInt64),
    `deferred` SimpleAggregateFunction(sum, UInt64),
    `suppressed` SimpleAggregateFunction(sum, UInt64),
    `rejected` SimpleAggregateFunction(sum, UInt64),
    `reported` SimpleAggregateFunction(sum, UInt64),
    `undated_hard` SimpleAggregateFunction(sum, UInt64),
    `undated_block` SimpleAggregateFunction(sum, UInt64),
    `undated_expired` SimpleAggregateFunction(sum, UInt64),
    `undated_complained` SimpleAggregateFunction(sum, UInt64),
    `undated_unsubscribed` SimpleAggregateFunction(sum, UInt64),
    `last_offset` SimpleAggregateFunction(max, Int64),
    `first_offset` SimpleAggregateFunction(min, Int64) DEFAULT 9223372036854775807,
    `offsets` SimpleAggregateFunction(sum, UInt64),
    PROJECTION hourly
    (
        SELECT
            dimension,
            customer,
            stream,
            class,
            toStartOfHour(bucket),
            value,
            sum(delivered),
            sum(hard),
            sum(soft),
            sum(block),
            sum(expired),
            sum(late_hard),
            sum(late_soft),
            sum(late_block),
            sum(complained),
            sum(unsubscribed),
            sum(deferred),
            sum(suppressed),
            sum(rejected),
            sum(reported),
            sum(undated_hard),
            sum(undated_block),
            sum(undated_expired),
            sum(undated_complained),
            sum(undated_unsubscribed)
        GROUP BY
            dimension,
            customer,
            stream,
            class,
            toStartOfHour(bucket),
            value
    )
)
ENGINE = AggregatingMergeTree
ORDER BY (dimension, customer, stream, class, bucket, value, source)
TTL bucket + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 10000, deduplicate_merge_projection_mode = 'ignore', index_granularity = 8192, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, merge_selector_base = 10;

CREATE TABLE reputation.customers
(
    `customer` String,
    `plan` LowCardinality(String),
    `domains` Array(String),
    `contact` String,
    `language` LowCardinality(String),
    `gone` Bool,
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY customer
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.dead_letter_replays
(
    `topic` LowCardinality(String),
    `source` LowCardinality(String),
    `position` Int64,
    `time` DateTime64(6, 'UTC'),
    `replayed_by` String,
    `mended` Bool,
    `forced` Bool
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, source, position, time, replayed_by)
TTL toDateTime(time) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.dead_letters
(
    `topic` LowCardinality(String),
    `source` LowCardinality(String),
    `position` Int64,
    `time` DateTime64(3, 'UTC'),
    `reason` String,
    `payload` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, source, position)
TTL toDateTime(time) + toIntervalDay(30)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.deployment
(
    `id` String,
    `made` DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY id
SETTINGS non_replicated_deduplication_window = 100, index_granularity = 8192;

CREATE TABLE reputation.events
(
    `customer` LowCardinality(String),
    `time` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `type` LowCardinality(String),
    `id` String,
    `stream` LowCardinality(String),
    `class` Enum8('transactional' = 1, 'bulk' = 2),
    `message_id` String,
    `recipient_hash` String,
    `recipient_domain` String,
    `provider` LowCardinality(String),
    `sending_ip` String,
    `ip_pool` LowCardinality(String),
    `from_domain` LowCardinality(String),
    `campaign` String,
    `smtp_code` UInt16,
    `enhanced_status` LowCardinality(String),
    `diagnostic` String CODEC(ZSTD(1)),
    `bounce_class` LowCardinality(String),
    `bounce_kind` LowCardinality(String),
    `feedback_type` LowCardinality(String),
    `asynchronous` Bool,
    `source` LowCardinality(String),
    `position` Int64,
    `sent_day` Date DEFAULT toDate(0),
    `sent` DateTime('UTC') DEFAULT toDateTime(0, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (customer, time, source, position, id)
TTL toDateTime(time) + toIntervalDay(120)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.fleet_incidents
(
    `id` String,
    `decided` Bool,
    `dimension` LowCardinality(String),
    `value` String,
    `outcome` LowCardinality(String),
    `state` LowCardinality(String),
    `leaves_out` Bool,
    `open` Bool,
    `hours` Array(DateTime('UTC')),
    `detail` String CODEC(ZSTD(1)),
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (id, decided)
TTL toDateTime(updated) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.fresh_starts
(
    `customer` String,
    `decided` DateTime64(3, 'UTC'),
    `since` DateTime('UTC'),
    `who` String,
    `why` String
)
ENGINE = ReplacingMergeTree
ORDER BY (customer, decided)
TTL since + toIntervalDay(800)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.holds
(
    `id` String,
    `reason` LowCardinality(String),
    `until` DateTime64(3, 'UTC'),
    `detail` String,
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY id
TTL toDateTime(updated) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.hook_actions
(
    `mode` LowCardinality(String),
    `customer` String,
    `scope` String,
    `action` String,
    `state` LowCardinality(String),
    `detail` String CODEC(ZSTD(1)),
    `changed` DateTime64(3, 'UTC'),
    `version` UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (mode, customer, scope, action)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.hook_leases
(
    `mode` LowCardinality(String),
    `epoch` UInt64,
    `owner` String,
    `until` DateTime64(3, 'UTC'),
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (mode, epoch)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 8192;

CREATE TABLE reputation.hook_positions
(
    `mode` LowCardinality(String),
    `topic_id` String,
    `partition` UInt32,
    `next_offset` Int64,
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (mode, topic_id, partition)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.incidents
(
    `time` DateTime64(3, 'UTC'),
    `kind` LowCardinality(String),
    `source` LowCardinality(String),
    `lost` UInt64,
    `detail` String
)
ENGINE = ReplacingMergeTree
ORDER BY (kind, source, detail)
TTL toDateTime(time) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE VIEW reputation.left_out
(
    `provider` String,
    `hour` DateTime('UTC')
)
AS SELECT DISTINCT
    value AS provider,
    arrayJoin(hours) AS hour
FROM reputation.fleet_incidents
FINAL
WHERE leaves_out AND (dimension != 'listing') AND (id NOT IN (
    SELECT id
    FROM reputation.fleet_incidents
    FINAL
    WHERE decided AND (NOT leaves_out)
));

CREATE VIEW reputation.left_out_listings
(
    `incident` String,
    `place` String,
    `hour` DateTime('UTC')
)
AS SELECT
    min(id) AS incident,
    value AS place,
    hour
FROM
(
    SELECT
        id,
        value,
        arrayJoin(hours) AS hour
    FROM reputation.fleet_incidents
    FINAL
    WHERE leaves_out AND (dimension = 'listing') AND (id NOT IN (
        SELECT id
        FROM reputation.fleet_incidents
        FINAL
        WHERE decided AND (NOT leaves_out)
    ))
)
GROUP BY
    place,
    hour;

CREATE TABLE reputation.listing_causes
(
    `resource` String,
    `kind` LowCardinality(String),
    `zone` LowCardinality(String),
    `began` DateTime64(3, 'UTC'),
    `weight` LowCardinality(String),
    `confirmed` Bool,
    `ended` DateTime64(3, 'UTC'),
    `pool` LowCardinality(String),
    `attributed` LowCardinality(String),
    `users` UInt32,
    `customers` Array(String),
    `volume` Array(UInt64),
    `complaints` Array(UInt64),
    `invalid` Array(UInt64),
    `blocked` Array(UInt64),
    `excess` Array(Float64),
    `shares` Array(Float64),
    `updated` DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (resource, zone, began)
TTL toDateTime(began) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.listing_events
(
    `resource` String,
    `kind` LowCardinality(String),
    `zone` LowCardinality(String),
    `time` DateTime64(3, 'UTC'),
    `type` LowCardinality(String),
    `weight` LowCardinality(String),
    `codes` Array(String),
    `meaning` String,
    `reason` String,
    `confirmed` Bool,
    `id` String,
    `source` LowCardinality(String),
    `position` Int64,
    `monitor` LowCardinality(String) DEFAULT ''
)
ENGINE = ReplacingMergeTree
ORDER BY (resource, zone, time, id)
TTL toDateTime(time) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.message_senders
(
    `day` Date,
    `hash` UInt64 CODEC(NONE),
    `customer` LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY (hash, customer)
TTL day + toIntervalDay(45)
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024;

CREATE TABLE reputation.negative_ids
(
    `hash` UInt64 CODEC(NONE),
    `source` LowCardinality(String),
    `position` Int64,
    `came` DateTime('UTC') CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (hash, source, position)
TTL came + toIntervalDay(31)
SETTINGS index_granularity = 512;

CREATE TABLE reputation.newly_excessive
(
    `customer` String,
    `time` DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (time, customer)
TTL toDateTime(time) + toIntervalDay(30)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.notification_posted
(
    `route` LowCardinality(String),
    `alert_id` String,
    `posted` String,
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (route, alert_id)
TTL toDateTime(updated) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.notification_routes
(
    `route` String,
    `since` DateTime64(3, 'UTC'),
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY route
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.notifications
(
    `route` LowCardinality(String),
    `id` String,
    `event_id` String,
    `lane` String,
    `reader` LowCardinality(String),
    `batch` String,
    `place` Int64,
    `due` DateTime64(3, 'UTC'),
    `taken` DateTime64(3, 'UTC'),
    `state` LowCardinality(String),
    `tries` UInt32,
    `next_try` DateTime64(3, 'UTC'),
    `said` String,
    `done` Array(String),
    `event` String CODEC(ZSTD(1)),
    `updated` DateTime64(6, 'UTC'),
    INDEX by_updated updated TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (route, id)
TTL toDateTime(taken) + toIntervalDay(90)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.outgoing_events
(
    `id` String,
    `due` DateTime64(3, 'UTC'),
    `topic` LowCardinality(String),
    `event` String CODEC(ZSTD(1)),
    `sent` Bool,
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY id
TTL toDateTime(due) + toIntervalDay(60)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.policies
(
    `applied` DateTime64(6, 'UTC'),
    `version` String,
    `applied_by` String,
    `why` String,
    `text` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (applied, version, applied_by)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.policy_drafts
(
    `saved` DateTime64(3, 'UTC'),
    `who` String,
    `updated` DateTime64(3, 'UTC'),
    `text` String CODEC(ZSTD(1)),
    `days` UInt16,
    `level` LowCardinality(String),
    `instead_of` Int64,
    `state` LowCardinality(String),
    `result` String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (saved, who)
TTL toDateTime(saved) + toIntervalDay(90)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.policy_levels
(
    `since` DateTime64(3, 'UTC'),
    `rule` String,
    `metric` LowCardinality(String),
    `windows` Array(String),
    `providers` Array(String),
    `level` LowCardinality(String),
    `threshold` Float64,
    `version` String
)
ENGINE = ReplacingMergeTree
ORDER BY (since, rule, level)
TTL toDateTime(since) + toIntervalDay(800)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.provider_reports
(
    `source` LowCardinality(String),
    `resource` String,
    `day` Date,
    `measure` LowCardinality(String),
    `about` String,
    `customer` String,
    `rate` Nullable(Float64),
    `below` Bool,
    `number` Nullable(Int64),
    `said` LowCardinality(String),
    `updated` DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
PARTITION BY toYYYYMM(day)
ORDER BY (source, resource, day, measure, about)
TTL day + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, index_granularity = 8192;

CREATE TABLE reputation.refusals
(
    `hash` UInt64 CODEC(NONE),
    `time` DateTime64(3, 'UTC'),
    `came` DateTime('UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (hash, time)
TTL toDateTime(time) + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.remembered_ids
(
    `topic` LowCardinality(String),
    `partition` UInt32,
    `partitions` UInt32,
    `came` DateTime('UTC'),
    `source` LowCardinality(String),
    `last_offset` Int64,
    `hashes` Array(UInt64) CODEC(NONE)
)
ENGINE = ReplacingMergeTree
PARTITION BY toStartOfInterval(came, toIntervalHour(6))
ORDER BY (topic, partition, partitions, came, source, last_offset)
TTL came + toIntervalHour(30)
SETTINGS ttl_only_drop_parts = 1, index_granularity = 8192;

CREATE TABLE reputation.schema_migrations
(
    `number` UInt32,
    `name` String,
    `checksum` String,
    `applied` DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY number
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.scores
(
    `customer` LowCardinality(String),
    `scope` String,
    `day` Date,
    `updated` DateTime64(6, 'UTC'),
    `standing` LowCardinality(String),
    `overall_score` Nullable(UInt8),
    `complaints_score` Nullable(UInt8),
    `failures_score` Nullable(UInt8),
    `blocks_score` Nullable(UInt8),
    `blacklisting_score` Nullable(UInt8)
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (customer, scope, day)
TTL day + toIntervalDay(400)
SETTINGS index_granularity = 8192;

CREATE MATERIALIZED VIEW reputation.scores_of_standings TO reputation.scores
(
    `customer` LowCardinality(String),
    `scope` String,
    `day` Date,
    `updated` DateTime64(6, 'UTC'),
    `standing` LowCardinality(String),
    `overall_score` Nullable(UInt8),
    `complaints_score` Nullable(UInt8),
    `failures_score` Nullable(UInt8),
    `blocks_score` Nullable(UInt8),
    `blacklisting_score` Nullable(UInt8)
)
AS SELECT
    customer,
    scope,
    toDate(updated) AS day,
    updated,
    standing,
    overall_score,
    complaints_score,
    failures_score,
    blocks_score,
    blacklisting_score
FROM reputation.standings;

CREATE TABLE reputation.seen_ids
(
    `topic` LowCardinality(String),
    `partition` UInt32,
    `came` DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    `hash` UInt64 CODEC(NONE),
    `source` LowCardinality(String),
    `last_offset` Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toStartOfInterval(came, toIntervalHour(6))
ORDER BY (topic, partition, came, source, hash, last_offset)
TTL came + toIntervalHour(30)
SETTINGS ttl_only_drop_parts = 1, index_granularity = 8192;

CREATE TABLE reputation.sent_messages
(
    `day` Date,
    `hash` UInt64 CODEC(NONE),
    `minute` UInt16 DEFAULT 720
)
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY hash
TTL day + toIntervalDay(45)
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024;

CREATE TABLE reputation.standings
(
    `customer` LowCardinality(String),
    `scope` String,
    `updated` DateTime64(6, 'UTC'),
    `standing` LowCardinality(String),
    `since` DateTime64(3, 'UTC'),
    `inactive_since` DateTime64(3, 'UTC'),
    `volume` UInt64,
    `complaint_rate` Float64,
    `failure_rate` Float64,
    `block_rate` Float64,
    `exposure_rate` Float64,
    `overall_score` Nullable(UInt8),
    `complaints_score` Nullable(UInt8),
    `failures_score` Nullable(UInt8),
    `blocks_score` Nullable(UInt8),
    `blacklisting_score` Nullable(UInt8),
    `reasons` Array(String),
    `unobservable` Array(LowCardinality(String)),
    `observable_mail` UInt64,
    `all_mail` UInt64,
    `policy_version` String
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (customer, scope)
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.suspensions
(
    `customer` String,
    `suspended` Bool,
    `since` DateTime64(3, 'UTC'),
    `who` String,
    `why` String,
    `updated` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY customer
SETTINGS index_granularity = 8192;

CREATE TABLE reputation.unwanted_mail
(
    `customer` LowCardinality(String),
    `time` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `stream` LowCardinality(String),
    `id` String,
    `message_id` String,
    `recipient_hash` String,
    `refused` DateTime64(3, 'UTC'),
    `source` LowCardinality(String),
    `position` Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (customer, time, source, position, id)
TTL toDateTime(time) + toIntervalDay(120)
SETTINGS index_granularity = 8192;
