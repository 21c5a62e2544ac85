"""What operators look at in a browser: pages made on the server, and a customer's own page.

Comes in: a request of somebody who signed in with a key, through a one-time link, or through a proxy that says who it
is. Goes out: pages under `/console`. Each page is a module of `pages`: a view (plain data), a pure function that makes
it of what `api.http`, `api.explain` and `jobs` read, and its routes. Above `routes`; imported by what starts an
interface.
"""
