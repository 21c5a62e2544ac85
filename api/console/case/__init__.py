"""One customer as an operator or the customer looks at it: what is read of the store, and what a page says of it.

Comes in: a customer's name, a time, and a rate. Goes out: views, plain data that templates show. `reading` asks the
store by what `api.http`, `api.explain` and `jobs` have; the rest is pure but for `pool_mates` and `letters`. Imported
by `pages` alone.
"""
