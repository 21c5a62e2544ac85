"""What customers and operators ask over HTTP, route by route; each module is a group of them.

Comes in: a request whose key `api.http` has looked up. Goes out: an answer of `api.http.models` or of
`api.routes.models`. Above `explain` and `text`, whose answers it gives; imported by what starts an interface, which
gives it `ROUTERS` (`api.routes.all`).
"""
