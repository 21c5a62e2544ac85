-- Merges made the hourly sums of `counts` anew from all rows, which cost more than all else that is done to store a count. Sums
-- of sums are the same sums, so a merge need only merge them, as it does in tables whose rows it does not sum up. Only in the
-- embedded store, whose version is known: before 25.11 a server stumbles over a part whose rows are all too old (ClickHouse
-- pull request 89458).
ALTER TABLE {database}.counts {on_cluster} MODIFY SETTING deduplicate_merge_projection_mode = '{projections_on_merge}';
