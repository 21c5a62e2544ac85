-- Counts by the domain that signed the mail (DKIM) too, where the From domain does not stand for it: such a domain may be
-- listed, and then it is to be known who sent with it.
--
-- As in 0012: a column that a projection holds cannot be altered, so the projection is made anew, in the background.
ALTER TABLE {database}.counts {on_cluster} DROP PROJECTION IF EXISTS hourly;
ALTER TABLE {database}.counts {on_cluster} MODIFY COLUMN dimension
    Enum8('provider' = 1, 'ip' = 2, 'pool' = 3, 'offset' = 4, 'from' = 5, 'dkim' = 6);
ALTER TABLE {database}.counts {on_cluster} ADD PROJECTION IF NOT EXISTS hourly
(
    SELECT
        dimension, customer, stream, class, toStartOfHour(bucket), value,
        sum(delivered), sum(hard), sum(soft), sum(block), sum(expired),
        sum(late_hard), sum(late_soft), sum(late_block),
        sum(complained), sum(unsubscribed), sum(deferred), sum(suppressed), sum(rejected), sum(reported)
    GROUP BY dimension, customer, stream, class, toStartOfHour(bucket), value
);
ALTER TABLE {database}.counts {on_cluster} MATERIALIZE PROJECTION hourly;
