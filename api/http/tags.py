"""How routes are grouped in the reference, and refusals that only some of them give."""

from typing import Any

from api.http.models.problems import Problem

CUSTOMER, OPERATOR, POLICY, HEALTH = "Your mail", "Operators", "Policies", "Health"
#: The groups as the document names them.
TAGS = [
    {"name": CUSTOMER, "description": "What became of a customer's mail. A customer's key sees its own alone."},
    {"name": OPERATOR, "description": "The fleet, and what is decided about customers. For operators' keys."},
    {"name": POLICY, "description": "What customers are judged by. For operators' keys."},
    {"name": HEALTH, "description": "Whether the interface works. Needs no key."},
]
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is none of this id that the key may see."}
}
