"""The certificate of `--lan`."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509

from tertulia.cli.lan import LIFETIME, self_signed_certificate

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def names(certificate: Path) -> set[str]:
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    extension = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name) for name in extension.get_values_for_type(x509.IPAddress)} | set(
        extension.get_values_for_type(x509.DNSName)
    )


def test_it_is_good_for_the_network_and_for_this_machine(tmp_path: Path) -> None:
    certificate, key = self_signed_certificate(tmp_path / "tls", "192.168.1.7", NOW)

    assert names(certificate) == {"192.168.1.7", "127.0.0.1", "::1", "localhost"}
    assert key.stat().st_mode & 0o077 == 0
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)


def test_it_is_kept_so_that_browsers_ask_once(tmp_path: Path) -> None:
    certificate, _ = self_signed_certificate(tmp_path, "192.168.1.7", NOW)
    before = certificate.read_bytes()
    self_signed_certificate(tmp_path, "192.168.1.7", NOW + LIFETIME / 2)

    assert certificate.read_bytes() == before


def test_it_is_made_anew_for_another_address_and_before_it_ends(tmp_path: Path) -> None:
    certificate, _ = self_signed_certificate(tmp_path, "192.168.1.7", NOW)
    first = certificate.read_bytes()
    self_signed_certificate(tmp_path, "10.0.0.7", NOW)
    second = certificate.read_bytes()
    self_signed_certificate(tmp_path, "10.0.0.7", NOW + LIFETIME)

    assert first != second
    assert certificate.read_bytes() != second
    assert "10.0.0.7" in names(certificate)
