"""The list of customers as a file: what is understood, and what is said of mistakes."""

import pytest

from jobs.operator.customers import CustomersError, parse_list
from schemas.customer import Customer


def test_list_names_plan_and_domains() -> None:
    text = "customer,plan,domains\nacme,Pro Plus,acme.example NEWS.acme-mail.example.\nsmall,,\n"
    assert parse_list(text, "list.csv").customers == [
        Customer(customer="acme", plan="Pro Plus", domains=("acme.example", "news.acme-mail.example")),
        Customer(customer="small"),
    ]


def test_list_names_where_mail_goes_and_in_which_language() -> None:
    found = parse_list("customer,contact,language\nacme,Post.Master+1@acme.example,pt-BR\nsmall,,\n", "list.csv")
    assert found.columns == ("customer", "contact", "language")
    assert found.customers == [
        Customer(customer="acme", contact="Post.Master+1@acme.example", language="pt-BR"),
        Customer(customer="small"),
    ]


def test_columns_may_come_in_any_order_and_all_but_the_customer_may_be_missing() -> None:
    assert parse_list("plan,customer\nfree,acme\n", "list.csv").customers == [Customer(customer="acme", plan="free")]


def test_quoted_names_may_hold_commas() -> None:
    assert parse_list('customer\n"Acme, Inc."\n', "list.csv").customers == [Customer(customer="Acme, Inc.")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the header must name the column customer"),
        ("acme,free\n", "line 1: the header must name the column customer"),
        ("customer,tariff\nacme,free\n", "line 1: unknown column 'tariff'"),
        ("customer,plan,plan\n", "line 1: a column is named twice"),
        ("customer,plan\nacme,free,more\n", "line 2: has more fields than the header"),
        ("customer,plan\nacme,free\n,free\n", "line 3: customer: is empty"),
        ('customer\n"Acme, Inc.\nEurope"\n', "line 3: customer: contains the control character U+000A"),
        ("customer\nac\x1b[2Jme\n", "line 2: customer: contains the control character U+001B"),
        ("customer\nacme\nacme\n", "line 3: customer: 'acme' was given before"),
        ("customer\n" + "ä" * 129 + "\n", "line 2: customer: is longer than 256 bytes"),
        ("customer,plan\nacme,<b>\n", "line 2: plan: '<b>' is not a name"),
        ("customer,domains\nacme,good.example bad_\n", "line 2: domains: 'bad_' is not a domain name"),
        ("customer,domains\nacme,.example\n", "line 2: domains: '.example' is not a domain name"),
        ("customer,contact\nacme,Ann <ann@acme.example>\n", "line 2: contact: 'Ann <ann@acme.example>' is not a mail"),
        ("customer,contact\nacme,ann\n", "line 2: contact: 'ann' is not a mail address"),
        ("customer,language\nacme,German\n", "line 2: language: 'German' is not the tag of a language"),
        ('customer\n"acme\n', "not valid CSV"),
    ],
)
def test_mistake_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(CustomersError) as error:
        parse_list(text, "list.csv")
    assert str(error.value).startswith("list.csv: ")
    assert said in str(error.value)
