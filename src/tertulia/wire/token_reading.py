"""What a token says of itself, for people who look for what is wrong with it. Nothing of it has been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tertulia.wire.tokens import CLIENT_SCOPE, DEFAULT_LIFETIME_S, T1_PREFIX, open_unchecked_jws, open_unchecked_t1

__all__ = ["TokenFormat", "TokenReading", "read_token"]


class TokenFormat(StrEnum):
    """How a token is written."""

    T1 = "T1"
    JWT = "JWT"


@dataclass(frozen=True, slots=True)
class TokenReading:
    """A token taken apart.

    Attributes:
        format: How it is written.
        is_for_rest: Whether it is a server's, for the header `X-OPENTOK-AUTH`, and not a client's.
        fields: Its fields under the names of its format; `partner_id` or `iss` is the API key.
    """

    format: TokenFormat
    is_for_rest: bool
    fields: Mapping[str, Any]

    @property
    def api_key(self) -> str:
        """The key that it names, or an empty text."""
        return str(self.fields.get("partner_id" if self.format is TokenFormat.T1 else "iss") or "")

    @property
    def created_at_s(self) -> float | None:
        """When it says that it was made, in seconds since the epoch."""
        return self._time("create_time") if self.format is TokenFormat.T1 else self._time("iat", "create_time")

    @property
    def expires_at_s(self) -> float | None:
        """When it expires: a client's token that does not say it is good for 24 hours."""
        said = self._time("expire_time") if self.format is TokenFormat.T1 else self._time("exp", "expire_time")
        if said is None and self.created_at_s is not None and not self.is_for_rest:
            return self.created_at_s + DEFAULT_LIFETIME_S
        return said

    def _time(self, *names: str) -> float | None:
        for name in names:
            try:
                return float(self.fields[name])
            except (KeyError, TypeError, ValueError):
                continue
        return None


def read_token(token: str) -> TokenReading:
    """Take a token of either format apart. Raises AuthenticationError if it cannot be."""
    if token.startswith(T1_PREFIX):
        outer, fields = open_unchecked_t1(token)
        return TokenReading(TokenFormat.T1, False, {"partner_id": outer.get("partner_id", ""), **fields})
    header, claims = open_unchecked_jws(token)
    kind = claims.get("ist") or header.get("ist")
    names_session = claims.get("session_id") is not None or claims.get("scope") == CLIENT_SCOPE
    # A server's token says whose it is and names no session.
    return TokenReading(TokenFormat.JWT, not names_session and kind is not None, claims)
