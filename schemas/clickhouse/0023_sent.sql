-- Outcomes are counted in the minute in which their message was sent. Complaints, what expired and bounces that came
-- after the delivery, of which nobody can say when that was, are counted when they come, and once more in `undated_*`.
--
-- As in 0012: the projection is made anew, in the background.
ALTER TABLE {database}.counts {on_cluster} DROP PROJECTION IF EXISTS hourly;
ALTER TABLE {database}.counts {on_cluster}
    ADD COLUMN IF NOT EXISTS undated_hard SimpleAggregateFunction(sum, UInt64) AFTER reported,
    ADD COLUMN IF NOT EXISTS undated_block SimpleAggregateFunction(sum, UInt64) AFTER undated_hard,
    ADD COLUMN IF NOT EXISTS undated_expired SimpleAggregateFunction(sum, UInt64) AFTER undated_block,
    ADD COLUMN IF NOT EXISTS undated_complained SimpleAggregateFunction(sum, UInt64) AFTER undated_expired,
    ADD COLUMN IF NOT EXISTS undated_unsubscribed SimpleAggregateFunction(sum, UInt64) AFTER undated_complained;
ALTER TABLE {database}.counts {on_cluster} ADD PROJECTION IF NOT EXISTS hourly
(
    SELECT
        dimension, customer, stream, class, toStartOfHour(bucket), value,
        sum(delivered), sum(hard), sum(soft), sum(block), sum(expired),
        sum(late_hard), sum(late_soft), sum(late_block),
        sum(complained), sum(unsubscribed), sum(deferred), sum(suppressed), sum(rejected), sum(reported),
        sum(undated_hard), sum(undated_block), sum(undated_expired), sum(undated_complained), sum(undated_unsubscribed)
    GROUP BY dimension, customer, stream, class, toStartOfHour(bucket), value
);
ALTER TABLE {database}.counts {on_cluster} MATERIALIZE PROJECTION hourly;

-- The minute of its day in which a delivery was counted. Of those stored before only the day is known: noon stands for
-- it.
ALTER TABLE {database}.sent_messages {on_cluster} ADD COLUMN IF NOT EXISTS minute UInt16 DEFAULT 720;

-- When the message of an event was sent; 1970-01-01 00:00 where nobody can say.
ALTER TABLE {database}.events {on_cluster} ADD COLUMN IF NOT EXISTS sent DateTime('UTC') DEFAULT toDateTime(0, 'UTC');
