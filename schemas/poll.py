"""What mailbox providers are asked with: where, by which credentials, and about what."""

from typing import Annotated

from msgspec import Meta

from schemas.secrets import Address, Section

Seconds = Annotated[float, Meta(gt=0, le=1e9, extra={"unit": "s"})]
#: SNDS keeps 90 days, Postmaster Tools 120.
LookbackDays = Annotated[int, Meta(ge=1, le=90, extra={"unit": "d"})]


class PostmasterSettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Gmail Postmaster Tools (API v2)."""

    credentials_file: str = ""
    """A JSON file with `client_id`, `client_secret` and `refresh_token`, as `gcloud auth application-default login`
    writes it."""
    token_command: tuple[str, ...] = ()
    """A command that prints an access token, in place of that file; program and arguments, without a shell."""
    domains: tuple[str, ...] = ()
    """Domains that are asked about; without any, all that the account may see in Postmaster Tools."""
    lookback_days: LookbackDays = 14
    """So many days are asked about each time, so that late days and corrections come in."""
    url: Address = "https://gmailpostmastertools.googleapis.com"
    """Where the API is."""


class SndsSettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Microsoft's Smart Network Data Services: by its REST interface of 2026, or by the older automated data access."""

    credentials_file: str = ""
    """A JSON file with the `refresh_token` of the Microsoft account that SNDS knows, and maybe a `client_id`; the token
    that Microsoft gives in its place is written into it."""
    token_command: tuple[str, ...] = ()
    """A command that prints an access token, in place of that file; program and arguments, without a shell."""
    api_url: Address = "https://substrate.office.com/ip-domain-management-snds"
    """Where the REST interface is."""
    key_file: str = ""
    """A file with the key of the automated data access, which is asked where there are no credentials."""
    lookback_days: LookbackDays = 5
    """So many days are asked about each time, each in a request of its own."""
    url: Address = "https://sendersupport.olc.protection.outlook.com/snds/data.aspx"
    """Where the data of the automated data access are, without the key."""


class Poll(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What mailbox providers are asked about the operator's mail (docs/polling.md)."""

    timeout_s: Seconds = 30.0
    """How long all of an answer may take, however it comes."""
    longest_wait_s: Seconds = 120.0
    """How long it is waited, at most, where a provider is asked too often; if it asks for longer, the round ends
    there."""
    postmaster: PostmasterSettings = PostmasterSettings()
    """Gmail."""
    snds: SndsSettings = SndsSettings()
    """Microsoft."""
