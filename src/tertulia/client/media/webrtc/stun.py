"""The two STUN messages of an ICE agent that checks (RFC 8489): the binding request, and the answer to it."""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib

_MAGIC = 0x2112A442
_REQUEST, _SUCCESS = 0x0001, 0x0101
_USERNAME, _MESSAGE_INTEGRITY, _FINGERPRINT = 0x0006, 0x0008, 0x8028
_PRIORITY, _USE_CANDIDATE, _CONTROLLING = 0x0024, 0x0025, 0x802A
_INTEGRITY_BYTES, _HEADER_BYTES = 20, 20
_FINGERPRINT_MASK = 0x5354554E


def binding_request(transaction: bytes, *, username: str, password: str, priority: int, tie_breaker: int) -> bytes:
    """A check that nominates (RFC 8445 section 7.1), from the controlling agent.

    Args:
        transaction: 12 random bytes.
        username: `<remote ufrag>:<local ufrag>`.
        password: the remote one.
        priority: of the candidate that the other side would learn from it.
        tie_breaker: 64 bits.
    """
    body = (
        _attribute(_USERNAME, username.encode())
        + _attribute(_PRIORITY, struct.pack("!I", priority))
        + _attribute(_CONTROLLING, struct.pack("!Q", tie_breaker))
        + _attribute(_USE_CANDIDATE, b"")
    )
    # The length that is signed counts the attribute that is to come (RFC 8489 sections 14.5 and 14.7).
    signed = _header(_REQUEST, len(body) + 4 + _INTEGRITY_BYTES, transaction) + body
    body += _attribute(_MESSAGE_INTEGRITY, _sign(signed, password))
    marked = _header(_REQUEST, len(body) + 8, transaction) + body
    return marked + _attribute(_FINGERPRINT, struct.pack("!I", zlib.crc32(marked) ^ _FINGERPRINT_MASK))


def successful_transaction(datagram: bytes, password: str) -> bytes | None:
    """The transaction that a datagram answers with success; None if it is no such answer, or is not signed rightly."""
    if len(datagram) < _HEADER_BYTES:
        return None
    kind, length, magic = struct.unpack_from("!HHI", datagram)
    if kind != _SUCCESS or magic != _MAGIC or length + _HEADER_BYTES != len(datagram):
        return None
    at = _HEADER_BYTES
    while at + 4 <= len(datagram):
        name, size = struct.unpack_from("!HH", datagram, at)
        if name == _MESSAGE_INTEGRITY and size == _INTEGRITY_BYTES:
            signed = _header(_SUCCESS, at + 4 + size - _HEADER_BYTES, datagram[8:20]) + datagram[_HEADER_BYTES:at]
            right = hmac.compare_digest(_sign(signed, password), datagram[at + 4 : at + 4 + size])
            return datagram[8:20] if right else None
        at += 4 + size + -size % 4
    return None


def _header(kind: int, length: int, transaction: bytes) -> bytes:
    return struct.pack("!HHI", kind, length, _MAGIC) + transaction


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _sign(message: bytes, password: str) -> bytes:
    return hmac.new(password.encode(), message, hashlib.sha1).digest()
