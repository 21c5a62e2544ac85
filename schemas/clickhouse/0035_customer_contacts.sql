-- Where mail to a customer goes, and in which language (`repmon customers`); empty where nothing is said of it.
ALTER TABLE {database}.customers {on_cluster} ADD COLUMN IF NOT EXISTS contact String AFTER domains;
ALTER TABLE {database}.customers {on_cluster} ADD COLUMN IF NOT EXISTS language LowCardinality(String) AFTER contact;
