"""What the operator says of its customers, as the store has it."""

from collections.abc import Mapping

from schemas.customer import Customer
from streams.io.store import Store

CUSTOMERS = """
SELECT customer, plan, domains, contact, language FROM customers FINAL
WHERE NOT gone
    AND ({customer:String} = '' OR customer = {customer:String})
    AND ({plan:String} = '' OR plan = {plan:String})
ORDER BY customer
"""

LAST_CHANGE = "SELECT toInt64(toUnixTimestamp64Micro(max(updated))) FROM customers"


def read_customers(store: Store, customer: str = "", plan: str = "") -> list[Customer]:
    """The customers on the list, by name: all, one, or those of a plan.

    Raises:
        StoreError: the store failed.
    """
    rows = store.rows(CUSTOMERS, {"customer": customer, "plan": plan})
    return [
        Customer(customer=name, plan=its_plan, domains=tuple(domains), contact=contact, language=language)
        for name, its_plan, domains, contact, language in rows
    ]


def last_change_us(store: Store) -> int:
    """When the list last changed (epoch microseconds); 0 while it is empty.

    Raises:
        StoreError: the store failed.
    """
    ((changed_us,),) = store.rows(LAST_CHANGE)
    return int(changed_us)


def plans(store: Store, customer: str = "") -> Mapping[str, str]:
    """The plan of each customer that has one, or of one customer.

    Raises:
        StoreError: the store failed.
    """
    return {each.customer: each.plan for each in read_customers(store, customer) if each.plan}
