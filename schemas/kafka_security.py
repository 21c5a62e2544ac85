"""How brokers are spoken to: encryption and login, from librdkafka's options as operators know them.

Two clients read these settings: librdkafka, and in the monitor aiokafka under Faust. What is not understood here, or
what one of them cannot do, is refused by name, so that none of the two does silently without (docs/security.md).
"""

from typing import Any

import msgspec

from schemas.errors import InvalidInputError
from schemas.secrets import Address, Secret, Section

PLAIN = "PLAINTEXT"
PROTOCOLS = (PLAIN, "SSL", "SASL_PLAINTEXT", "SASL_SSL")
PASSWORD_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
OAUTH = "OAUTHBEARER"
MECHANISMS = (*PASSWORD_MECHANISMS, OAUTH)

#: What each client understands alike.
TLS_OPTIONS = frozenset(
    {
        "enable.ssl.certificate.verification",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.cipher.suites",
        "ssl.endpoint.identification.algorithm",
        "ssl.key.location",
        "ssl.key.password",
    }
)
OAUTH_OPTIONS = frozenset(
    {
        "https.ca.location",
        "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.extensions",
        "sasl.oauthbearer.grant.type",
        "sasl.oauthbearer.method",
        "sasl.oauthbearer.scope",
        "sasl.oauthbearer.token.endpoint.url",
    }
)
SASL_OPTIONS = frozenset({"sasl.mechanism", "sasl.mechanisms", "sasl.password", "sasl.username"}) | OAUTH_OPTIONS
UNDERSTOOD = TLS_OPTIONS | SASL_OPTIONS | {"security.protocol"}
#: What these options begin with. Nothing else of librdkafka's is about encryption or logins.
FAMILIES = ("security.", "ssl.", "ssl_", "sasl.", "enable.ssl.", "enable.sasl.", "https.")

#: Why others are refused, by what they begin with.
MONITOR_CANNOT = "the monitor's client (aiokafka) cannot"
REFUSED = {
    "sasl.jaas.": "is of Java's clients; `sasl.username` and kafka.sasl_password are what it holds",
    "sasl.kerberos.": f"{MONITOR_CANNOT} log in by Kerberos without a library that is not part of repmon",
    "sasl.oauthbearer.config": f"{MONITOR_CANNOT} make unsigned tokens; method `oidc` fetches some",
    "enable.sasl.oauthbearer.unsecure.jwt": f"{MONITOR_CANNOT} make unsigned tokens",
    "sasl.oauthbearer.assertion.": f"{MONITOR_CANNOT} sign assertions; it sends client id and secret",
    "sasl.oauthbearer.metadata.": f"{MONITOR_CANNOT} ask the platform it runs on for tokens",
    "ssl.keystore.": f"{MONITOR_CANNOT} read PKCS#12; `ssl.certificate.location` and `ssl.key.location` are PEM files",
    "ssl.truststore.": "is of Java's clients; `ssl.ca.location` is a PEM file",
    "ssl.certificate.pem": f"{MONITOR_CANNOT} take a certificate as text; `ssl.certificate.location` is its file",
    "ssl.key.pem": f"{MONITOR_CANNOT} take a key as text; `ssl.key.location` is its file",
    "ssl.crl.": f"{MONITOR_CANNOT} read lists of revoked certificates",
    "ssl.curves.": f"{MONITOR_CANNOT} choose curves",
    "ssl.sigalgs.": f"{MONITOR_CANNOT} choose signature algorithms",
    "ssl.engine.": f"{MONITOR_CANNOT} use an engine of OpenSSL",
    "ssl.providers": f"{MONITOR_CANNOT} load providers of OpenSSL",
    "ssl.ca.certificate.stores": f"{MONITOR_CANNOT} choose between stores of Windows",
}


class KafkaSecurityError(InvalidInputError):
    """An option about encryption or login cannot be used; the message names it, and never a secret."""


class OAuthClient(Section, kw_only=True, frozen=True):
    """How a token is got: with client id and secret (RFC 6749, section 4.4)."""

    endpoint: Address
    client_id: str
    client_secret: Secret
    scope: str = ""
    extensions: dict[str, str] = msgspec.field(default_factory=dict)
    """What goes to the broker along with the token (RFC 7628, section 3.1)."""
    ca: str = ""
    """The file of the authorities that the endpoint's certificate is checked by; empty is the system's."""


class KafkaSecurity(Section, kw_only=True, frozen=True):
    """Encryption and login. Empty texts are not set."""

    protocol: str = PLAIN
    ca: str = ""
    """File or folder of the authorities; with neither this nor `ca_pem` those of the system."""
    ca_pem: str = ""
    certificate: str = ""
    key: str = ""
    key_password: Secret = ""
    verify: bool = True
    """Whether the broker's certificate is checked."""
    verify_name: bool = True
    """Whether it must be the one of the host that was connected to."""
    ciphers: str = ""
    mechanism: str = ""
    username: str = ""
    password: Secret = ""
    oauth: OAuthClient | None = None

    @property
    def encrypted(self) -> bool:
        """Whether it is TLS."""
        return self.protocol.endswith("SSL")

    @property
    def logs_in(self) -> bool:
        """Whether there is a login."""
        return self.protocol.startswith("SASL")


def is_security(option: str) -> bool:
    """Whether an option of librdkafka is about encryption or login."""
    return option.startswith(FAMILIES)


def is_plain(options: dict[str, str], *apart: str) -> bool:
    """Whether nothing asks for encryption or a login; `apart` are the passwords that are set apart."""
    asked = {name: value for name, value in options.items() if is_security(name)}
    return not any(apart) and (not asked or asked == {"security.protocol": PLAIN})


def read_security(
    options: dict[str, str], sasl_password: str = "", ssl_key_password: str = "", oauth_client_secret: str = ""
) -> KafkaSecurity:
    """What `options` and the passwords that are set apart say.

    Raises:
        KafkaSecurityError: an option that is unknown, wrong, without effect, or beyond one of the clients.
    """
    given = {name: value for name, value in options.items() if is_security(name)}
    for name in given:
        if name not in UNDERSTOOD:
            raise KafkaSecurityError(f"`{name}` {_why_refused(name)}")
    apart = {
        "sasl.password": sasl_password,
        "ssl.key.password": ssl_key_password,
        "sasl.oauthbearer.client.secret": oauth_client_secret,
    }
    for name, value in apart.items():
        if value and given.get(name, value) != value:
            raise KafkaSecurityError(f"`{name}` is also set to something else by kafka.{SET_APART[name]}")
    given |= {name: value for name, value in apart.items() if value}
    protocol = _one_of(given, "security.protocol", PROTOCOLS, PLAIN)
    _has_effect(given, protocol)
    return KafkaSecurity(protocol=protocol, **_tls(given, protocol), **_login(given, protocol))


#: The settings by which secrets come from the environment one by one.
SET_APART = {
    "sasl.password": "sasl_password",
    "ssl.key.password": "ssl_key_password",
    "sasl.oauthbearer.client.secret": "oauth_client_secret",
}


def _why_refused(name: str) -> str:
    reason = next((reason for begin, reason in REFUSED.items() if name.startswith(begin)), "")
    if not reason:
        return "is not known here, and would not reach the monitor's client (aiokafka)"
    return reason if reason.startswith("is ") else f"is refused: {reason}"


def _has_effect(given: dict[str, str], protocol: str) -> None:
    for name in sorted(given):
        if name in TLS_OPTIONS and not protocol.endswith("SSL"):
            raise KafkaSecurityError(
                f"`{name}` has no effect where `security.protocol` is {protocol}; SSL and SASL_SSL encrypt"
            )
        if name in SASL_OPTIONS and not protocol.startswith("SASL"):
            raise KafkaSecurityError(
                f"`{name}` has no effect where `security.protocol` is {protocol}; SASL_SSL logs in, encrypted"
            )


def _tls(given: dict[str, str], protocol: str) -> dict[str, Any]:
    certificate, key = given.get("ssl.certificate.location", ""), given.get("ssl.key.location", "")
    if bool(certificate) != bool(key):
        raise KafkaSecurityError(
            "`ssl.certificate.location` and `ssl.key.location` are set together (to one file maybe)"
        )
    if given.get("ssl.key.password") and not key:
        raise KafkaSecurityError("`ssl.key.password` has no effect without `ssl.key.location`")
    if given.get("ssl.ca.location") and given.get("ssl.ca.pem"):
        raise KafkaSecurityError("`ssl.ca.location` and `ssl.ca.pem` are not set together")
    name_check = _one_of(given, "ssl.endpoint.identification.algorithm", ("https", "none"), "https")
    ca = given.get("ssl.ca.location", "")
    return {
        "ca": "" if ca == "probe" else ca,
        "ca_pem": given.get("ssl.ca.pem", ""),
        "certificate": certificate,
        "key": key,
        "key_password": given.get("ssl.key.password", ""),
        "verify": _one_of(given, "enable.ssl.certificate.verification", ("true", "false"), "true") == "true",
        "verify_name": name_check == "https",
        "ciphers": given.get("ssl.cipher.suites", ""),
    }


def _login(given: dict[str, str], protocol: str) -> dict[str, Any]:
    if not protocol.startswith("SASL"):
        return {}
    names = {given[name].strip().upper() for name in ("sasl.mechanism", "sasl.mechanisms") if given.get(name)}
    if len(names) != 1 or not names <= set(MECHANISMS):
        if names == {"GSSAPI"}:
            raise KafkaSecurityError(f"`sasl.mechanism` GSSAPI is refused: {REFUSED['sasl.kerberos.']}")
        raise KafkaSecurityError(f"`sasl.mechanism` must be one of {', '.join(MECHANISMS)}")
    mechanism = names.pop()
    if mechanism == OAUTH:
        for name in ("sasl.username", "sasl.password"):
            if given.get(name):
                raise KafkaSecurityError(f"`{name}` has no effect where `sasl.mechanism` is {OAUTH}")
        return {"mechanism": mechanism, "oauth": _oauth(given)}
    for name in sorted(OAUTH_OPTIONS):
        if given.get(name):
            raise KafkaSecurityError(f"`{name}` has no effect where `sasl.mechanism` is {mechanism}")
    for name, where in (("sasl.username", ""), ("sasl.password", ", which kafka.sasl_password sets")):
        if not given.get(name):
            raise KafkaSecurityError(f"`sasl.mechanism` {mechanism} needs `{name}`{where}")
    return {"mechanism": mechanism, "username": given["sasl.username"], "password": given["sasl.password"]}


def _oauth(given: dict[str, str]) -> OAuthClient:
    at = "sasl.oauthbearer"
    if given.get(f"{at}.method", "").lower() != "oidc":
        raise KafkaSecurityError(f"`{at}.method` must be `oidc`: {REFUSED['enable.sasl.oauthbearer.unsecure.jwt']}")
    if given.get(f"{at}.grant.type", "client_credentials") != "client_credentials":
        raise KafkaSecurityError(f"`{at}.grant.type` must be `client_credentials`: {REFUSED[f'{at}.assertion.']}")
    for name in ("token.endpoint.url", "client.id", "client.secret"):
        if not given.get(f"{at}.{name}"):
            raise KafkaSecurityError(f"`sasl.mechanism` {OAUTH} needs `{at}.{name}`")
    pairs = [each.partition("=") for each in given.get(f"{at}.extensions", "").split(",") if each.strip()]
    if any(not name.strip() or not equals for name, equals, _ in pairs):
        raise KafkaSecurityError(f"`{at}.extensions` must be NAME=VALUE with commas between them")
    endpoint = given[f"{at}.token.endpoint.url"]
    if not endpoint.startswith(("https://", "http://")):
        raise KafkaSecurityError(f"`{at}.token.endpoint.url` must be an https or http address")
    return OAuthClient(
        endpoint=endpoint,
        client_id=given[f"{at}.client.id"],
        client_secret=given[f"{at}.client.secret"],
        scope=given.get(f"{at}.scope", ""),
        extensions={name.strip(): value.strip() for name, _, value in pairs},
        ca=given.get("https.ca.location", ""),
    )


def _one_of(given: dict[str, str], name: str, known: tuple[str, ...], default: str) -> str:
    """The value among `known`, however its case; librdkafka reads it so too."""
    said = given.get(name, default).strip().lower()
    for each in known:
        if said == each.lower():
            return each
    raise KafkaSecurityError(f"`{name}` must be one of {', '.join(known)}")
