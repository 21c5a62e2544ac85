-- The id of this deployment, one row, by which its events differ from those of any other (docs/alerts.md). The token of
-- its INSERT keeps a second one out.
CREATE TABLE IF NOT EXISTS {database}.deployment {on_cluster}
(
    id   String,
    made DateTime64(3, 'UTC')
)
ENGINE = {replacing}
ORDER BY id
SETTINGS {dedup_window} = 100;
