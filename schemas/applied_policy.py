"""A policy that an operator applied (topic `reputation.policy`, table `policies`)."""

import msgspec

#: A policy's text is no longer; in JSON it may become twice as long.
MAX_TEXT_BYTES = 4_000_000


class AppliedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One application. `version` is the name and hash of what the policy says (`schemas.policy.Policy.version`), `text`
    the whole TOML file as it was applied at `applied_ms` (epoch ms, UTC).
    """

    version: str
    applied_ms: int
    applied_by: str
    why: str
    text: str
