"""DTLS as the client, and the SRTP keys that come of it (RFC 5763, RFC 5764). On OpenSSL and libsrtp."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Callable

import pylibsrtp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

MTU = 1200
"""Largest DTLS datagram. It fits every path (RFC 8261 section 5)."""

HANDSHAKE_S = 20.0
"""The handshake must be over by then. Our own choice: a dozen retransmissions."""

_PROFILES: dict[bytes, tuple[int, int, int]] = {
    b"SRTP_AEAD_AES_128_GCM": (pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    b"SRTP_AES128_CM_SHA1_80": (pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
}
"""libsrtp's name of each profile, and the bytes of its key and salt, best first."""


class Certificate:
    """A self-signed certificate, made for one peer."""

    def __init__(self, now: datetime.datetime) -> None:
        """Makes one that is valid around `now`."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tertulia")])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .sign(self.key, hashes.SHA256())
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256, as in SDP."""
        return _fingerprint(self.certificate)


class DtlsTransport:
    """One association with the server, and the SRTP sessions on it."""

    def __init__(
        self, certificate: Certificate, send: Callable[[bytes], None], on_end: Callable[[str | None], None]
    ) -> None:
        """Takes how to send a datagram, and who hears of the end of the handshake: None, or what went wrong."""
        self._send = send
        self._on_end = on_end
        self._remote_fingerprint = ""
        self._outgoing: pylibsrtp.Session | None = None
        self._incoming: pylibsrtp.Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_s = 0.0
        self._ended = False
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU)
        # The certificate is checked by its fingerprint; the handshake itself takes any.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(certificate.certificate)
        context.use_privatekey(certificate.key)
        context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
        context.set_tlsext_use_srtp(b":".join(_PROFILES))
        self._connection = SSL.Connection(context, None)
        self._connection.set_connect_state()
        self._connection.set_ciphertext_mtu(MTU)

    @property
    def started(self) -> bool:
        """Whether the handshake has begun."""
        return bool(self._remote_fingerprint)

    def start(self, remote_fingerprint: str) -> None:
        """Begins the handshake with the server that has this certificate."""
        self._remote_fingerprint = remote_fingerprint
        self._deadline_s = asyncio.get_running_loop().time() + HANDSHAKE_S
        self._continue()

    def received(self, datagram: bytes) -> None:
        """Takes a DTLS datagram."""
        if self._ended:
            return
        self._connection.bio_write(datagram)
        if self._outgoing is None:
            self._continue()
            return
        with contextlib.suppress(SSL.Error):  # an alert, or an answer of the server to a lost last flight
            self._connection.recv(MTU)
        self._flush()

    def protect(self, packet: bytes, *, rtcp: bool) -> bytes | None:
        """The SRTP packet; None before the handshake is over."""
        if self._outgoing is None:
            return None
        return self._outgoing.protect_rtcp(packet) if rtcp else self._outgoing.protect(packet)

    def unprotect(self, packet: bytes, *, rtcp: bool) -> bytes | None:
        """The RTP packet; None if it is forged, doubled or too early."""
        if self._incoming is None:
            return None
        try:
            return self._incoming.unprotect_rtcp(packet) if rtcp else self._incoming.unprotect(packet)
        except pylibsrtp.Error:
            return None

    def close(self) -> None:
        """Says goodbye if that is possible, and stops the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._outgoing is not None and not self._ended:
            with contextlib.suppress(SSL.Error):
                self._connection.shutdown()
            self._flush()
        self._ended = True

    def _continue(self) -> None:
        """Goes on with the handshake as far as possible now."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            self._arm()
            return
        except SSL.Error:
            self._fail("The DTLS handshake with the server failed.")
            return
        self._flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or _fingerprint(certificate) != self._remote_fingerprint:
            self._fail("The server showed another certificate than its answer named.")
            return
        self._make_keys()
        self._on_end(None)

    def _make_keys(self) -> None:
        profile, key_bytes, salt_bytes = _PROFILES[self._connection.get_selected_srtp_profile()]
        material = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key_bytes + salt_bytes))
        keys = [material[at : at + key_bytes] for at in (0, key_bytes)]
        salts = [material[at : at + salt_bytes] for at in (2 * key_bytes, 2 * key_bytes + salt_bytes)]
        self._outgoing = pylibsrtp.Session(
            pylibsrtp.Policy(key=keys[0] + salts[0], ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        )
        incoming = pylibsrtp.Policy(
            key=keys[1] + salts[1], ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND, srtp_profile=profile
        )
        incoming.window_size = 1024
        self._incoming = pylibsrtp.Session(incoming)

    def _flush(self) -> None:
        while True:
            try:
                data = self._connection.bio_read(1 << 16)
            except SSL.Error:
                return
            for datagram in _datagrams(data):
                self._send(datagram)

    def _arm(self) -> None:
        """Sets the timer for OpenSSL's next retransmission."""
        if self._timer is not None:
            self._timer.cancel()
        timeout_s = self._connection.DTLSv1_get_timeout()
        self._timer = asyncio.get_running_loop().call_later(1.0 if timeout_s is None else timeout_s, self._timeout)

    def _timeout(self) -> None:
        self._timer = None
        if asyncio.get_running_loop().time() > self._deadline_s:
            self._fail(f"The server did not finish the DTLS handshake within {HANDSHAKE_S:.0f} s.")
            return
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:
            self._fail("The DTLS handshake with the server failed.")
            return
        self._flush()
        self._arm()

    def _fail(self, why: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ended = True
        self._on_end(why)


def _datagrams(records: bytes) -> list[bytes]:
    """Puts whole records together up to the size of a datagram (RFC 6347 section 4.1: length in bytes 11 and 12)."""
    datagrams = [b""]
    while records:
        size = 13 + int.from_bytes(records[11:13], "big")
        if datagrams[-1] and len(datagrams[-1]) + size > MTU:
            datagrams.append(b"")
        datagrams[-1] += records[:size]
        records = records[size:]
    return datagrams


def _fingerprint(certificate: x509.Certificate) -> str:
    digest = certificate.fingerprint(hashes.SHA256()).hex().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
