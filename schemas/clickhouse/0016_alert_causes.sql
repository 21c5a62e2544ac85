-- What made each alert change (docs/alerts.md); empty in what was recorded before.
ALTER TABLE {database}.alerts {on_cluster} ADD COLUMN IF NOT EXISTS cause LowCardinality(String) AFTER kind;
