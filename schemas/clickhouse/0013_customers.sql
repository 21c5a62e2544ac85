-- What the operator says of its customers: the plan, and the domains they may send from. The newest row of a customer
-- counts; `gone` where it was taken off the list.
CREATE TABLE IF NOT EXISTS {database}.customers {on_cluster}
(
    customer String,
    plan     LowCardinality(String),
    domains  Array(String),
    gone     Bool,
    updated  DateTime64(6, 'UTC')
)
ENGINE = {replacing_updated}
ORDER BY customer;
