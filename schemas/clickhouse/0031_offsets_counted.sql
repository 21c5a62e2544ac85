-- What is stored can be compared with what its offsets promise: each flush says from which offset on it counts, and how many
-- offsets. Of a source all of them add up to its last offset less its first, plus one. Fewer: a part is gone, as one that was
-- broken when the server started. More: something counted twice. Rows from before have the largest first offset and count
-- nothing, so that the sum holds from the first flush with these columns on.
ALTER TABLE {database}.counts {on_cluster}
    ADD COLUMN IF NOT EXISTS first_offset SimpleAggregateFunction(min, Int64) DEFAULT 9223372036854775807;
ALTER TABLE {database}.counts {on_cluster}
    ADD COLUMN IF NOT EXISTS offsets SimpleAggregateFunction(sum, UInt64);
-- Replicated tables also forget tokens after a time, by default after an hour: less than a frozen worker may sleep.
ALTER TABLE {database}.counts {on_cluster}
    MODIFY SETTING replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;
