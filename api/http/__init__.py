"""The HTTP interface for customers and operators, read only.

Comes in: requests with a key, which says whose numbers may be seen. Goes out: JSON as `models` declares it, with
problem details (RFC 9457) for what is refused, and `/metrics` and `/healthz`. The lowest floor of `api`: the others may
import it, it imports none of them.
"""
