-- Marks beside a standing. `inactive_since`: no mail since then (epoch 0: there is). `unobservable`: the rules whose rate
-- is seen at too little of the mail; `observable_mail` are the deliveries of the longest window of a rule on complaints
-- at providers with a feedback loop, `all_mail` those to all providers.
ALTER TABLE {database}.standings {on_cluster}
    ADD COLUMN IF NOT EXISTS inactive_since DateTime64(3, 'UTC') AFTER since,
    ADD COLUMN IF NOT EXISTS unobservable Array(LowCardinality(String)) AFTER reasons,
    ADD COLUMN IF NOT EXISTS observable_mail UInt64 AFTER unobservable,
    ADD COLUMN IF NOT EXISTS all_mail UInt64 AFTER observable_mail;
