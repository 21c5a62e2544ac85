"""What the HTTP interface takes and answers, as types, by subject.

Rates are ratios (0.003 is 0.3 %), times are RFC 3339 in UTC. These are pydantic models, not Structs, because FastAPI
writes the OpenAPI document from them. A class here with the name of one in `schemas` or `streams` is that one as
customers see it.
"""
