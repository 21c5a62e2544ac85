"""Listeners of a Kafka broker with encryption and logins, each on a port of its own, and what reaches them."""

from datetime import timedelta
from pathlib import Path

from tests.support.certificates import Authority

#: Whom the broker knows, with the password.
USER, PASSWORD = "mona", "right-Passw0rd"
KEY_PASSWORD = "key-Passw0rd"

#: By the name of the listener, how it is spoken to. `EXPIRED` and `ELSEWHERE` have a certificate that is out of date,
#: and one of another host.
PROTOCOLS = {
    "MUTUAL": "SSL",
    "LOGIN_TLS": "SASL_SSL",
    "LOGIN_PLAIN": "SASL_PLAINTEXT",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
}
MODULES = "org.apache.kafka.common.security"
LOGINS = {
    "plain": f'{MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
    "scram-sha-256": f"{MODULES}.scram.ScramLoginModule required;",
    "scram-sha-512": f"{MODULES}.scram.ScramLoginModule required;",
    "oauthbearer": f'{MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
}
#: What makes the users of SCRAM when the log folder is made.
SCRAM_USERS = [
    each
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
    for each in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
]


class Certificates:
    """Those of the broker and of its clients, and others that it must not take or be taken with."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.ca = authority.ca
        self.client, self.client_key = authority.issue("client", password=KEY_PASSWORD)
        broker = authority.issue("broker")
        self.store = self._store(folder / "broker.pem", broker)
        self.expired = self._store(folder / "old.pem", authority.issue("expired", ends=timedelta(days=-1)))
        self.elsewhere = self._store(folder / "away.pem", authority.issue("elsewhere", hosts=("other.example",)))
        #: Of somebody else.
        stranger = Authority(folder / "stranger", "stranger")
        self.other_ca = stranger.ca
        self.other_client, self.other_client_key = stranger.issue("stranger-client")
        self.server, self.server_key = broker

    @staticmethod
    def _store(file: Path, parts: tuple[Path, Path]) -> Path:
        """Key and certificate in one file, as Kafka wants them."""
        certificate, key = parts
        file.write_bytes(key.read_bytes() + certificate.read_bytes())
        return file


def listeners(ports: dict[str, int], certificates: Certificates) -> tuple[str, str, str]:
    """For the broker's properties: its further listeners, which protocols they speak, and what else they need."""
    more = "".join(f",{name}://127.0.0.1:{ports[name]}" for name in PROTOCOLS)
    protocols = "".join(f",{name}:{protocol}" for name, protocol in PROTOCOLS.items())
    stores = {"EXPIRED": certificates.expired, "ELSEWHERE": certificates.elsewhere}
    lines = []
    for name, protocol in PROTOCOLS.items():
        at = f"listener.name.{name.lower()}"
        if protocol.endswith("SSL"):
            lines += [
                f"{at}.ssl.keystore.type=PEM",
                f"{at}.ssl.keystore.location={stores.get(name, certificates.store)}",
                f"{at}.ssl.truststore.type=PEM",
                f"{at}.ssl.truststore.location={certificates.ca}",
                f"{at}.ssl.client.auth={'required' if name == 'MUTUAL' else 'none'}",
            ]
        if protocol.startswith("SASL"):
            lines.append(f"{at}.sasl.enabled.mechanisms={','.join(LOGINS).upper()}")
            lines += [f"{at}.{mechanism}.sasl.jaas.config={login}" for mechanism, login in LOGINS.items()]
    return more, protocols, "\n".join(lines)
