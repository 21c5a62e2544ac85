-- Keys of the HTTP interface. Only the hash of a key is stored; customer '' is an operator's key.
CREATE TABLE IF NOT EXISTS {database}.api_keys {on_cluster}
(
    key_hash String,
    customer String,
    label    String,
    created  DateTime64(3, 'UTC'),
    revoked  Bool,
    updated  DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY key_hash;
