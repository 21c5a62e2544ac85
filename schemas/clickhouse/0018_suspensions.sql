-- Whom an operator (or a hook) suspended. The newest row of a customer counts; why and by whom is in `audit` for longer.
CREATE TABLE IF NOT EXISTS {database}.suspensions {on_cluster}
(
    customer  String,
    suspended Bool,
    since     DateTime64(3, 'UTC'),
    who       String,
    why       String,
    updated   DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY customer;

-- Standings as people are shown them: a customer who is suspended stands so, whatever is judged meanwhile (`judged`).
CREATE VIEW IF NOT EXISTS {database}.shown_standings {on_cluster} AS
SELECT
    standings.* EXCEPT (standing, since),
    suspended.customer != '' AND scope = 'customer' AS is_suspended,
    if(is_suspended, 'suspended', standings.standing) AS standing,
    if(is_suspended, suspended.since, standings.since) AS since,
    standings.standing AS judged
FROM (SELECT * FROM {database}.standings FINAL) AS standings
LEFT JOIN (SELECT customer, since FROM {database}.suspensions FINAL WHERE suspended) AS suspended
    ON suspended.customer = standings.customer;
