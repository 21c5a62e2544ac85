"""Whose mail is judged: the words that scopes are, or begin with."""

#: All of a customer's mail.
CUSTOMER = "customer"
#: The scope of one stream of a customer, where it has several: `stream:NAME`.
STREAM_PREFIX = "stream:"
#: The scope of an IP pool, of the small customers that use it: `pool:NAME`.
POOL = "pool"
POOL_PREFIX = f"{POOL}:"
#: The scope of a customer's bulk or transactional mail, where it sends both: `class:bulk`.
CLASS = "class"
CLASS_PREFIX = f"{CLASS}:"
