-- Incidents of the dimension `listing`: what begins to be listed together leaves no mail out, and has a view of its own.
CREATE OR REPLACE VIEW {database}.left_out {on_cluster} AS
SELECT DISTINCT value AS provider, arrayJoin(hours) AS hour
FROM {database}.fleet_incidents FINAL
WHERE leaves_out AND dimension != 'listing'
    AND id NOT IN (SELECT id FROM {database}.fleet_incidents FINAL WHERE decided AND NOT leaves_out);

-- The listings that are held against nobody: those on a list (`zone`), or of a network on a list (`network@zone`), that
-- began in an hour.
CREATE VIEW IF NOT EXISTS {database}.left_out_listings {on_cluster} AS
SELECT min(id) AS incident, value AS place, hour
FROM (SELECT id, value, arrayJoin(hours) AS hour FROM {database}.fleet_incidents FINAL
    WHERE leaves_out AND dimension = 'listing'
        AND id NOT IN (SELECT id FROM {database}.fleet_incidents FINAL WHERE decided AND NOT leaves_out))
GROUP BY place, hour;
