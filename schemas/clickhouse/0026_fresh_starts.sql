-- From when on a customer's mail is judged: all its windows begin anew at `since`, a full minute. What people decided, one
-- row each, only ever added; the one decided last counts. Who and why is in `audit` too.
CREATE TABLE IF NOT EXISTS {database}.fresh_starts {on_cluster}
(
    customer String,
    decided  DateTime64(3, 'UTC'),
    since    DateTime('UTC'),
    who      String,
    why      String
)
ENGINE = {replacing}
ORDER BY (customer, decided)
TTL since + INTERVAL 800 DAY;
