"""What a suspension hook is given: what it may do, at which level, and what keeps it from doing too much."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.levels import Level
from schemas.quantities import Count, Seconds
from schemas.secrets import Address, Secret, Section

#: How long one answer may be waited for.
AnswerSeconds = Annotated[float, Meta(gt=0, le=600, extra={"unit": "s"})]
Hours = Annotated[float, Meta(gt=0, le=1e6, extra={"unit": "h"})]
Ratio = Annotated[float, Meta(gt=0, le=1, extra={"unit": "ratio"})]
Port = Annotated[int, Meta(ge=1, le=65535)]
ActionKind = Literal["kumomta", "kumomta-throttle", "ses", "http", "command", "mail"]
#: What an action does to the customer's mail; a mail to the customer is `notify`.
Effect = Literal["suspend", "throttle", "notify"]
ScopeKind = Literal["customer", "stream", "sub_account", "class"]


class HookAction(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One thing that the hook can do, and undo (docs/suspending.md). In texts `{customer}`, `{stream}`, `{scope}`,
    `{level}`, `{rule}`, `{reason}`, `{alert_id}`, `{id}` and `{operation}` stand for what they say."""

    kind: ActionKind
    """What is asked: KumoMTA to suspend or to slow down, Amazon SES, any HTTP interface, a command, or a mail to the
    customer."""
    effect: Literal["suspend", "throttle"] = "suspend"
    """Whether it stops mail or slows it down: a customer whose whole mail is stopped stands as suspended. A
    `kumomta-throttle` slows down."""
    timeout_s: AnswerSeconds = 10.0
    """How long an answer is waited for."""
    urls: tuple[Address, ...] = ()
    """Where it is asked: each node of KumoMTA, or the one address of `http`."""
    user: str = ""
    """Who asks (HTTP basic authentication, SMTP)."""
    password: Secret = ""
    """The user's password; with `password_file` it is read from there."""
    password_file: str = ""
    """A file with that password and nothing else."""
    tenant: str = "{customer}"
    """The tenant that is suspended or slowed down (`kumomta`, `kumomta-throttle`), or its name (`ses`). Empty is any
    (`kumomta`)."""
    campaign: str = ""
    """The campaign, such as `{stream}` for alerts on a stream (`kumomta`). Empty is any."""
    domain: str = ""
    """The recipients' domain (`kumomta`). Empty is any."""
    duration_h: Hours = 24.0
    """For how long a suspension is asked; it is asked again before that is over (`kumomta`)."""
    file: str = ""
    """The data file of KumoMTA's queue helper that it keeps, and that nobody else writes; it ends in `.toml`
    (`kumomta-throttle`)."""
    rate: str = ""
    """How much a tenant may send together on a node, such as `60/min` (`kumomta-throttle`)."""
    region: str = ""
    """The AWS region (`ses`)."""
    arn: str = ""
    """The tenant's ARN (`ses`). Empty: SES is asked for it by the tenant's name."""
    access_key_id: str = ""
    """Who asks AWS (`ses`); the secret access key is `password`, and without this the environment's are taken."""
    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = "POST"
    """The request's method (`http`)."""
    headers: dict[str, Secret] = {}
    """Headers that are sent too, such as `Authorization` (`http`)."""
    body: str = ""
    """The request's body (`http`); empty is what is to be done as JSON."""
    content_type: str = "application/json"
    """What the body is; in JSON what is put in for a name in braces is escaped as JSON (`http`)."""
    lift_url: Address = ""
    """Where lifting it is asked (`http`); empty is the same address."""
    lift_method: Literal["", "POST", "PUT", "PATCH", "DELETE", "GET"] = ""
    """With which method; empty is the same."""
    lift_body: str = ""
    """With which body; empty is what is to be done as JSON, or the same `body`."""
    signing_keys: tuple[Secret, ...] = ()
    """Keys with which requests are signed as Standard Webhooks say, `whsec_...`; several while they are changed
    (`http`)."""
    command: tuple[str, ...] = ()
    """Program and arguments, without a shell (`command`)."""
    host: str = ""
    """The mail server that mail is given to (`mail`)."""
    port: Port = 587
    """Its port (`mail`)."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How mail is encrypted on the way there (`mail`)."""
    ca_file: str = ""
    """Who is trusted there, as a PEM file; empty is the system's authorities."""
    sender: str = ""
    """Whom mail is from (`mail`)."""
    reply_to: str = ""
    """Whom the customer should ask, where that is another address (`mail`)."""
    bcc: str = ""
    """Who gets a copy, such as the abuse team (`mail`)."""


class LadderRung(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is done from a level on, until the alert's level is below it."""

    level: Level
    """From this level on."""
    do: tuple[str, ...]
    """Names of actions, in their order."""
    scopes: tuple[ScopeKind, ...] = ("customer",)
    """By alerts on what: all mail of a customer, or a part of it, which is then what is acted on."""
    rules: tuple[str, ...] = ()
    """By alerts of these rules alone, `*` is anything; empty is any."""
    plans: tuple[str, ...] = ()
    """For customers with these plans alone; empty is all."""
    customers: tuple[str, ...] = ()
    """For these customers alone, `*` is anything; empty is all."""


class Hook(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What `suspend-hook` does about alerts (docs/suspending.md)."""

    actions: dict[str, HookAction] = {}
    """What it can do, by name."""
    ladder: dict[str, LadderRung] = {}
    """What is done at which level, by a name of your choice."""
    never: tuple[str, ...] = ()
    """Customers that are never acted on, `*` is anything: your own mail, for example."""
    max_per_hour: Count = 20
    """More customers than this within an hour are not acted on: the breaker opens, and a person must close it."""
    max_share: Ratio = 0.05
    """The same for the part of the customers active in the last 24 hours who are acted on since it was last closed."""
    share_from: Count = 3
    """`max_share` never means fewer customers than this."""
    large_recipients: Annotated[int, Meta(ge=0)] = 1_000_000
    """Whoever sent to more recipients within 30 days is not acted on before two people approved it; 0 is nobody."""
    max_alert_age_h: Hours = 72.0
    """Older alerts begin nothing."""
    max_verdict_age_s: Seconds = 900.0
    """Nothing is begun while the last verdict is older than this: the monitor may be down."""
    sweep_s: Seconds = 15.0
    """How often it is looked whether what is in force, waits or failed is still right."""
    renew_s: Seconds = 60.0
    """How often a target that forgets (KumoMTA keeps suspensions in memory) is asked whether it still has them."""
    retry_s: Seconds = 5.0
    """How long after a failure it is tried again; each further time twice as long."""
    max_retry_s: Seconds = 900.0
    """But no longer than this."""
    failing_after_s: Seconds = 300.0
    """`repmon status` says of an action that it is not well once it has failed for so long."""
    lease_s: Seconds = 30.0
    """How long another hook waits for one that is silent before it takes its place."""
