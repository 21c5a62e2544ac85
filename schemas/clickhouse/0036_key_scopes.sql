-- What a key may do (`read`, `act`, `policy`, `keys`), until when (0: for ever), and the id of the key that it replaces.
-- Keys that were made before may read, as they could.
ALTER TABLE {database}.api_keys {on_cluster}
    ADD COLUMN IF NOT EXISTS scopes Array(LowCardinality(String)) DEFAULT ['read'] AFTER label,
    ADD COLUMN IF NOT EXISTS expires DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC') AFTER created,
    ADD COLUMN IF NOT EXISTS replaces String AFTER expires;

-- When a key was last used, to the minute; written once a minute by each interface, of the keys that were.
CREATE TABLE IF NOT EXISTS {database}.api_key_uses {on_cluster}
(
    key_hash String,
    updated  DateTime('UTC')
)
ENGINE = {replacing_updated}
ORDER BY key_hash;
