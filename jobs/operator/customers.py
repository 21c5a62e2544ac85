"""The list of customers: read from a file or set one by one, and stored. Every change is a row of the table `audit`."""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from jobs.operator.audit import Decision, record_decision
from schemas.customer import Customer
from schemas.errors import InvalidInputError
from schemas.event import MAX_CUSTOMER_BYTES
from schemas.names import BadNameError, clean_name
from schemas.times import utc_time
from schemas.written_file import read_written
from streams.decisions.customers import read_customers
from streams.io.store import Store

CHANGED, REMOVED, IMPORTED = "customer changed", "customer removed", "customers imported"
COLUMNS = ("customer", "plan", "domains", "contact", "language")
#: Columns that a list without them says nothing of: what is known stays.
KEPT = ("contact", "language")
#: Rows of one INSERT.
AT_ONCE = 50_000


class CustomersError(InvalidInputError):
    """The list cannot be used; the message names file, line and what is wrong."""


@dataclass(frozen=True, slots=True)
class Imported:
    """How many customers a list changed, and how many it took off."""

    changed: int
    removed: int


#: Bytes of a list: a million customers with their domains and contacts.
LARGEST_LIST = 200_000_000


class CustomerList(NamedTuple):
    """What a list says: its customers, and the columns that it has."""

    customers: list[Customer]
    columns: tuple[str, ...] = COLUMNS


def read_list(path: Path) -> CustomerList:
    """The customers of a CSV file (RFC 4180, UTF-8) with the header `customer,plan,domains,contact,language`; all
    but the first may be missing. Several domains of a customer are separated by spaces.

    Raises:
        CustomersError: naming file, line and field.
    """
    try:
        text = read_written(path, "utf-8-sig", LARGEST_LIST)
    except OSError as error:
        raise CustomersError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CustomersError(f"{path}: not UTF-8: {error}") from error
    return parse_list(text, str(path))


def parse_list(text: str, source: str) -> CustomerList:
    """The same of a text; `source` names it in errors. Pure.

    Raises:
        CustomersError: naming source, line and field.
    """
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found: dict[str, Customer] = {}
    try:
        _check_header(rows.fieldnames or (), source)
        for row in rows:
            where = f"{source}: line {rows.line_num}"
            # Under None the reader puts what has no column, and it fills missing fields with None.
            if None in row:
                raise CustomersError(f"{where}: has more fields than the header")
            customer = _customer({name: (row[name] or "").strip() for name in row}, where)
            if customer.customer in found:
                raise CustomersError(f"{where}: customer: {customer.customer!r} was given before")
            found[customer.customer] = customer
    except csv.Error as error:
        raise CustomersError(f"{source}: line {rows.line_num}: not valid CSV: {error}") from error
    return CustomerList(list(found.values()), tuple(name.strip() for name in rows.fieldnames or ()))


def store_list(
    store: Store,
    customers: Sequence[Customer],
    *,
    whole: bool,
    by: str,
    why: str,
    now_ms: int,
    columns: Collection[str] = COLUMNS,
) -> Imported:
    """Store those that are new or changed. With `whole` it is the whole list: who is not on it is taken off. Of
    `columns` that the list lacks contact and language stay as they are known.

    Raises:
        CustomersError: nobody is named who decides it.
        StoreError: the store failed; the same list may be stored again.
    """
    if not by.strip():
        raise CustomersError("--by: is empty")
    known = {each.customer: each for each in read_customers(store)}
    said = [_with_known(each, known.get(each.customer), columns) for each in customers]
    changed = [each for each in said if known.get(each.customer) != each]
    removed = sorted(known.keys() - {each.customer for each in customers}) if whole else []
    _insert(store, changed, gone=False, now_ms=now_ms)
    _insert(store, [known[name] for name in removed], gone=True, now_ms=now_ms)
    if changed or removed:
        detail = {"changed": len(changed), "removed": len(removed)}
        record_decision(store, Decision(utc_time(now_ms), by, IMPORTED, "", "customers", why, detail))
    return Imported(len(changed), len(removed))


def set_customer(
    store: Store,
    name: str,
    *,
    plan: str | None,
    domains: Sequence[str] | None,
    by: str,
    why: str,
    now_ms: int,
    contact: str | None = None,
    language: str | None = None,
) -> Customer:
    """Put a customer on the list, or change what of it is given. Returns it as it now is.

    Raises:
        CustomersError: naming the option.
        StoreError: the store failed.
    """
    if not by.strip():
        raise CustomersError("--by: is empty")
    name = _clean(name, "customer")
    before = next(iter(read_customers(store, name)), None) if name else None
    after = _customer(
        {
            "customer": name,
            "plan": before.plan if plan is None and before else plan or "",
            "domains": " ".join(before.domains if domains is None and before else domains or ()),
            "contact": before.contact if contact is None and before else contact or "",
            "language": before.language if language is None and before else language or "",
        },
        "customer",
    )
    _insert(store, [after], gone=False, now_ms=now_ms)
    record_decision(store, Decision(utc_time(now_ms), by, CHANGED, name, name, why, msgspec.to_builtins(after)))
    return after


def remove_customer(store: Store, name: str, *, by: str, why: str, now_ms: int) -> Customer:
    """Take a customer off the list. Its counts and alerts stay.

    Raises:
        CustomersError: it is not on the list.
        StoreError: the store failed.
    """
    if not by.strip():
        raise CustomersError("--by: is empty")
    known = read_customers(store, name) if name else []
    if not known:
        raise CustomersError(f"customer {name!r} is not on the list")
    _insert(store, known, gone=True, now_ms=now_ms)
    record_decision(store, Decision(utc_time(now_ms), by, REMOVED, name, name, why, {}))
    return known[0]


def _with_known(said: Customer, known: Customer | None, columns: Collection[str]) -> Customer:
    """What a list says of a customer, and what is known of the columns that it lacks."""
    lacking = [name for name in KEPT if name not in columns]
    return msgspec.structs.replace(said, **{name: getattr(known, name) for name in lacking}) if known else said


def _check_header(names: Iterable[str], source: str) -> None:
    given = [name.strip() for name in names]
    if "customer" not in given:
        raise CustomersError(
            f"{source}: line 1: the header must name the column customer; known are {', '.join(COLUMNS)}"
        )
    if unknown := [name for name in given if name not in COLUMNS]:
        raise CustomersError(f"{source}: line 1: unknown column {unknown[0]!r}; known are {', '.join(COLUMNS)}")
    if len(set(given)) < len(given):
        raise CustomersError(f"{source}: line 1: a column is named twice")


def _customer(fields: dict[str, str], where: str) -> Customer:
    fields = {name.strip(): value for name, value in fields.items()}
    name, plan = _clean(fields["customer"], where), fields.get("plan", "")
    domains = list(dict.fromkeys(each.lower().rstrip(".") for each in fields.get("domains", "").split()))
    contact, language = fields.get("contact", ""), fields.get("language", "")
    found = {"customer": name, "plan": plan, "domains": domains, "contact": contact, "language": language}
    if len(name.encode()) > MAX_CUSTOMER_BYTES:
        raise CustomersError(f"{where}: customer: is longer than {MAX_CUSTOMER_BYTES} bytes")
    try:
        return msgspec.convert(found, Customer)
    except msgspec.ValidationError as error:
        # In plain words, without the patterns that the check is made of.
        if not name:
            said = "customer: is empty"
        elif bad := next((each for each in domains if _is_wrong("domains", [each])), None):
            said = f"domains: {bad!r} is not a domain name"
        elif _is_wrong("contact", contact):
            said = f"contact: {contact!r} is not a mail address"
        elif _is_wrong("language", language):
            said = f"language: {language!r} is not the tag of a language, such as en or pt-BR"
        else:
            said = f"plan: {plan!r} is not a name of letters, digits, spaces and . _ - (at most 64)"
        raise CustomersError(f"{where}: {said}") from error


def _clean(name: str, where: str) -> str:
    try:
        return clean_name(name)
    except BadNameError as error:
        raise CustomersError(f"{where}: customer: {error}") from error


def _is_wrong(field: str, value: str | list[str]) -> bool:
    try:
        msgspec.convert({"customer": "c", field: value}, Customer)
    except msgspec.ValidationError:
        return True
    return False


def _insert(store: Store, customers: Sequence[Customer], *, gone: bool, now_ms: int) -> None:
    for start in range(0, len(customers), AT_ONCE):
        part = customers[start : start + AT_ONCE]
        store.insert(
            "customers",
            {
                "customer": [each.customer for each in part],
                "plan": [each.plan for each in part],
                "domains": [list(each.domains) for each in part],
                "contact": [each.contact for each in part],
                "language": [each.language for each in part],
                "gone": [gone] * len(part),
                "updated": [utc_time(now_ms)] * len(part),
            },
        )
