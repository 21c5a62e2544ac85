"""The configured sources, and what each asks of a request before it is taken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

from api.collect import credentials, firehose
from api.collect.certificates import Certificates
from api.collect.schemes import SCHEMES, Check, Proof, RequestVerdict, Scheme, keep
from api.collect.signature import Headers, KeyFormatError
from api.collect.used_tokens import UsedTokens
from schemas.collect import Source
from schemas.nearest import meant
from schemas.settings import SettingsError
from streams.adapt import EVERY_FORMAT, MAILS


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """A source that is ready: its name, its format, where its webhooks go, and what is checked.

    `slow` is a check that may wait for the network. `answer` is the text a taken request is answered with. `token`
    gives what is to be `used` once, where a request has such a thing. Mail to `addresses` is for this source.
    """

    name: str
    format_name: str
    topic: str
    checks: tuple[Check, ...]
    slow: bool = False
    addresses: tuple[str, ...] = ()
    answer: str = ""
    token: Callable[[bytes], str] | None = None
    used: UsedTokens = field(default_factory=lambda: UsedTokens(0.0))

    def check(self, headers: Headers, body: bytes, now_s: float) -> RequestVerdict:
        """What the request is: its signature says so, which is checked last.

        Raises:
            SignatureError: it does not prove that it comes from the provider.
            FetchError: SNS could not be asked for its certificate.
        """
        verdict: RequestVerdict = "keep"
        for each in self.checks:
            verdict = each(headers, body, now_s)
        return verdict


def prepare(sources: Mapping[str, Source], certificates: Certificates) -> dict[str, PreparedSource]:
    """The sources by name, their keys read.

    Raises:
        SettingsError: a format that is not known, a proof that is missing, that the format has no use for, or that
            cannot be one.
    """
    prepared = {name: _prepare(name, source, certificates) for name, source in sources.items()}
    # A request to one source is as good to another with the same key.
    used: dict[str, UsedTokens] = {}
    for name, each in prepared.items():
        if each.token is not None:
            lifetime_s = max(_oldest_s(source) for source in sources.values() if source.secret == sources[name].secret)
            prepared[name] = replace(each, used=used.setdefault(sources[name].secret, UsedTokens(lifetime_s)))
    return prepared


def _oldest_s(source: Source) -> float:
    """How old the source's signatures may be, in s."""
    scheme = SCHEMES.get(source.format)
    return source.tolerance_s or (scheme and scheme.oldest_s) or 0.0


def _prepare(name: str, source: Source, certificates: Certificates) -> PreparedSource:
    where, format_name = f"collect.sources.{name}", source.format
    if format_name not in EVERY_FORMAT:
        known = f"known are {', '.join(EVERY_FORMAT)}{meant(format_name, EVERY_FORMAT)}"
        raise SettingsError(f"{where}: there is no format {format_name!r}; {known}")
    scheme = SCHEMES.get(format_name)
    if format_name == "ses" and source.token and not source.topic_arn:
        # Firehose signs nothing: its access key is all there is.
        scheme = None
    _check_use(where, source, scheme)
    checks = _credentials(where, source)
    if scheme is not None and not source.unsigned:
        checks.append(_signature(where, source, scheme, certificates))
    elif not checks and source.addresses:
        # What comes by LMTP needs no proof; nothing else is taken.
        checks = [_nobody]
    elif not checks and not source.unsigned:
        raise SettingsError(
            f"{where}: set user and password, or token: {format_name} signs nothing. "
            "With unsigned = true anybody is trusted"
        )
    return PreparedSource(
        name,
        format_name,
        source.into,
        tuple(checks),
        addresses=source.addresses,
        slow=scheme is not None and scheme.slow and not source.unsigned,
        # Endpoints of SocketLabs may have to show that they know the key that the request brought.
        token=scheme.token if scheme is not None and not source.unsigned else None,
        answer=source.secret if format_name == "socketlabs" and not source.unsigned else "",
    )


def _nobody(_headers: Headers, _body: bytes, _now_s: float) -> RequestVerdict:
    raise credentials.CredentialsError(
        "Basic", "the source takes mail by LMTP alone: it has neither password nor token"
    )


def _check_use(where: str, source: Source, scheme: Scheme | None) -> None:
    """Refuse what would not be looked at: its author would think they were protected by it."""
    format_name = source.format
    for each in get_args(Proof):
        if getattr(source, each) and (scheme is None or scheme.needs != each):
            use = "signs nothing; use user and password, or token" if scheme is None else f"needs {scheme.needs}"
            raise SettingsError(f"{where}: {each} is not used: the format {format_name} {use}")
    if source.tolerance_s is not None and (scheme is None or scheme.oldest_s is None):
        raise SettingsError(f"{where}: tolerance_s is not used: the format {format_name} signs no time")
    if source.addresses and format_name not in MAILS:
        raise SettingsError(f"{where}: addresses is not used: the format {format_name} does not come by mail")
    if source.url and format_name != "mandrill":
        raise SettingsError(f"{where}: url is not used: the format {format_name} does not sign the address")


def _credentials(where: str, source: Source) -> list[Check]:
    if bool(source.user) != bool(source.password):
        raise SettingsError(f"{where}: user and password belong together")
    if source.user and source.token:
        raise SettingsError(f"{where}: either user and password, or token: a request has one header Authorization")
    if source.user:
        return [keep(lambda headers, _b, _n: credentials.verify_basic(headers, source.user, source.password))]
    if source.token and source.format == "ses":
        return [keep(lambda headers, _b, _n: firehose.verify_token(headers, source.token))]
    if source.token:
        return [keep(lambda headers, _b, _n: credentials.verify_bearer(headers, source.token))]
    return []


def _signature(where: str, source: Source, scheme: Scheme, certificates: Certificates) -> Check:
    format_name = source.format
    if not getattr(source, scheme.needs):
        raise SettingsError(
            f"{where}: {scheme.needs} is missing: {format_name} signs its webhooks. "
            "With unsigned = true it is not asked for"
        )
    if format_name == "mandrill" and not source.url:
        raise SettingsError(f"{where}: url is missing: mandrill signs the webhook's address, as it was entered there")
    try:
        return scheme.make(source, _oldest_s(source), certificates)
    except KeyFormatError as error:
        raise SettingsError(f"{where}: {scheme.needs}: {error}") from error
