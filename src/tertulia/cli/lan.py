"""`--lan`: a development server that phones and colleagues on the same network can reach, with TLS of its own."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tertulia.supervisor.errors import CannotStartError

# Browsers refuse certificates that live longer than 398 days.
LIFETIME = datetime.timedelta(days=365)
_RENEW_BEFORE = datetime.timedelta(days=7)
# Reserved for documentation (RFC 5737): nothing is sent, the kernel only chooses a route.
_ELSEWHERE = "192.0.2.1"


def lan_address() -> str:
    """This machine's IPv4 address on its network. Raises CannotStartError if it is on none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_ELSEWHERE, 9))
        except OSError as error:
            raise CannotStartError(
                "This machine is on no network that --lan could use; connect it or leave --lan out."
            ) from error
        return str(probe.getsockname()[0])


def self_signed_certificate(folder: Path, address: str, now: datetime.datetime) -> tuple[Path, Path]:
    """Certificate and private key for `address` and this machine in PEM files below `folder`, made anew if needed."""
    certificate_file, key_file = folder / "certificate.pem", folder / "private-key.pem"
    if certificate_file.exists() and key_file.exists():
        known = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if known.not_valid_after_utc - _RENEW_BEFORE > now and address in _addresses(known):
            return certificate_file, key_file
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tertulia development server")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(one)) for one in (address, "127.0.0.1", "::1")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    with open(key_file, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        output.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return certificate_file, key_file


def _addresses(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(one) for one in names.get_values_for_type(x509.IPAddress)}
