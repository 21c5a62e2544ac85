-- The alerts that a state tells of are stored with it before they are sent: a monitor that ends in between leaves them to
-- the next one. Empty once they are sent.
ALTER TABLE {database}.alert_states {on_cluster} ADD COLUMN IF NOT EXISTS unsent Array(String);
