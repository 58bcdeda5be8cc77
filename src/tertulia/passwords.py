"""The operator's password: only a hash of it is ever kept.

scrypt (RFC 7914), because it is in the standard library and costs memory as well as time. The parameters stand in the
hash, `scrypt:LOG2_N:R:P:SALT:KEY` with salt and key as URL-safe base64; colons, so that no shell and no compose file
takes a part of it for a variable.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

__all__ = ["MAX_PASSWORD_CHARACTERS", "MIN_PASSWORD_CHARACTERS", "hash_password", "is_password", "is_password_hash"]

MIN_PASSWORD_CHARACTERS = 12
"""NIST SP 800-63B asks for 8 where a second factor may follow, 15 where none does; guesses are rate-limited here."""
MAX_PASSWORD_CHARACTERS = 1024

# 32 MiB and some 60 ms, OWASP's second choice of parameters (2^15, 8, 3 there is thrice the time).
_LOG2_N, _R, _P = 15, 8, 1
_SALT_BYTES, _KEY_BYTES = 16, 32
_HASH = re.compile(r"scrypt:(1[0-9]):([1-9]|1[0-6]):([1-4]):([A-Za-z0-9_-]{22}):([A-Za-z0-9_-]{43})", re.ASCII)


def hash_password(password: str) -> str:
    """The hash of a password with a fresh salt. Raises ValueError if it is too short or too long."""
    if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise ValueError(f"A password has {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters.")
    salt = secrets.token_bytes(_SALT_BYTES)
    key = _derive(password, salt, _LOG2_N, _R, _P)
    return f"scrypt:{_LOG2_N}:{_R}:{_P}:{_encode(salt)}:{_encode(key)}"


def is_password(password: str, hashed: str) -> bool:
    """Say whether the hash is this password's; takes as long for a wrong one. `hashed` is one (ValueError)."""
    parts = _HASH.fullmatch(hashed)
    if parts is None:
        raise ValueError("This is no hash of a password.")
    log2_n, r, p = (int(parts[number]) for number in (1, 2, 3))
    derived = _derive(password[: MAX_PASSWORD_CHARACTERS + 1], _decode(parts[4]), log2_n, r, p)
    return hmac.compare_digest(derived, _decode(parts[5]))


def is_password_hash(text: str) -> bool:
    """Say whether a text has the form of a hash."""
    return _HASH.fullmatch(text) is not None


def _derive(password: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    n = 2**log2_n
    # OpenSSL refuses above `maxmem`, and needs a little more than the algorithm's own 128 * N * r.
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, dklen=_KEY_BYTES, maxmem=128 * r * (n + p + 2) + 1_048_576
    )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
