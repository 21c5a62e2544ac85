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
