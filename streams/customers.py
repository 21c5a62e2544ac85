"""What the operator says of its customers, as the store has it."""

from collections.abc import Mapping

from schemas.customer import Customer
from streams.store import Store

CUSTOMERS = """
SELECT customer, plan, domains FROM customers FINAL
WHERE NOT gone
    AND ({customer:String} = '' OR customer = {customer:String})
    AND ({plan:String} = '' OR plan = {plan:String})
ORDER BY customer
"""


def read_customers(store: Store, customer: str = "", plan: str = "") -> list[Customer]:
    """The customers on the list, by name: all, one, or those of a plan.

    Raises:
        StoreError: the store failed.
    """
    rows = store.rows(CUSTOMERS, {"customer": customer, "plan": plan})
    return [Customer(customer=name, plan=its_plan, domains=tuple(domains)) for name, its_plan, domains in rows]


def plans(store: Store) -> Mapping[str, str]:
    """The plan of each customer that has one.

    Raises:
        StoreError: the store failed.
    """
    return {each.customer: each.plan for each in read_customers(store) if each.plan}
