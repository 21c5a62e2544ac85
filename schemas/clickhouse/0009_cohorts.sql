-- Complaints by the day on which the message was sent: they arrive days later, so a sliding rate sets them against other
-- mail than they are about.

-- The day of each message delivered at a provider that reports complaints. A hash is over customer and message id
-- (streams/cohorts.py). Of several deliveries of one message the first day counts.
CREATE TABLE IF NOT EXISTS {database}.sent_messages {on_cluster}
(
    day  Date,
    hash UInt64 CODEC(NONE)
)
ENGINE = {replacing}
PARTITION BY day
ORDER BY hash
TTL day + INTERVAL 45 DAY
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024;

-- The day on which the message of a complaint was sent; 1970-01-01 where nobody can say.
ALTER TABLE {database}.events {on_cluster} ADD COLUMN IF NOT EXISTS sent_day Date DEFAULT toDate(0);

-- Deliveries and complaints by customer, provider and the day of sending. Whoever reads it chooses the providers with a
-- feedback loop: at others nobody can complain.
CREATE VIEW IF NOT EXISTS {database}.cohort_complaint_rate {on_cluster} AS
SELECT customer, provider, day, sum(n_delivered) AS delivered, sum(n_complained) AS complained
FROM
(
    SELECT customer, value AS provider, toDate(bucket) AS day, sum(delivered) AS n_delivered, 0 AS n_complained
    FROM {database}.counts
    WHERE dimension = 'provider'
    GROUP BY customer, provider, day
    UNION ALL
    SELECT customer, provider, sent_day AS day, 0 AS n_delivered, count() AS n_complained
    FROM {database}.events FINAL
    WHERE type = 'complained' AND feedback_type IN ('', 'abuse', 'fraud', 'virus', 'other', 'opt-out')
    GROUP BY customer, provider, day
)
GROUP BY customer, provider, day;
