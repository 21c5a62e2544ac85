-- Who looked: an outside monitor by its name, or '' for our own scan, which has the last word on what it saw itself.
ALTER TABLE {database}.listing_events {on_cluster} ADD COLUMN IF NOT EXISTS monitor LowCardinality(String) DEFAULT '';
