"""Why a token is accepted or refused, in words: what `tertulia token inspect` finds out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tertulia.cli.store import Opened
from tertulia.cli.tables import time_of
from tertulia.clock import WallTime
from tertulia.domain.project import Project, ProjectStatus
from tertulia.errors import AuthenticationError
from tertulia.ids import SessionId
from tertulia.wire.token_reading import TokenReading, read_token
from tertulia.wire.tokens import verify_client_token, verify_rest_token

__all__ = ["Finding", "inspect"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a token.

    Attributes:
        accepted: Whether this server lets its bearer in.
        verdict: That in one sentence, with the reason.
        advice: What to do about it, sentence by sentence.
        facts: What the token says of itself, as far as it can be read; nobody vouches for it if it is refused.
    """

    accepted: bool
    verdict: str
    advice: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


async def inspect(server: Opened, token: str, now: WallTime, expected_session: str | None = None) -> Finding:
    """Judge a token as this server would, now, and look further where it would only refuse."""
    text = token.strip()
    try:
        reading = read_token(text)
    except AuthenticationError as error:
        advice = ("Copy the token whole: a client token begins with T1== or with eyJ.",)
        return Finding(False, f"Refused: {error.message}", advice)
    facts = _facts(reading)
    verifier = verify_rest_token if reading.is_for_rest else verify_client_token
    try:
        await server.projects.verify(text, verifier, now)
    except AuthenticationError as error:
        return Finding(False, f"Refused: {error.message}", await _advice(server, reading, text, now), facts)
    if reading.is_for_rest:
        note = "It is a server's, for the header X-OPENTOK-AUTH: no client can connect with it."
        return Finding(True, f"Accepted. {note}", (), facts)
    return replace(await _judge_session(server, reading, now, expected_session), facts=facts)


async def _judge_session(server: Opened, reading: TokenReading, now: WallTime, expected: str | None) -> Finding:
    """Judge what stands in the store: the session of a token that is good by itself."""
    session_id = str(reading.fields["session_id"])
    record = await server.store.find_session(SessionId(session_id))
    if record is None:
        owner = await server.projects.find(reading.api_key)
        if owner is not None and owner.accept_known_keys:
            return Finding(
                True, "Accepted: its session is not known here, and will be taken in when somebody connects."
            )
        advice = (
            f"`tertulia session list {reading.api_key}` shows those that there are.",
            "`tertulia session import FILE` takes ids in that another server made.",
        )
        return Finding(False, "Refused: its session does not exist on this server.", advice)
    if record.api_key != reading.api_key:
        return Finding(
            False,
            f"Refused: its session belongs to the project {record.api_key}, the token to {reading.api_key}.",
            ("Make the token with the key and secret with which the session was made.",),
        )
    if expected is not None and expected != session_id:
        return Finding(
            False,
            "Refused: it is for another session than the one that the client wants to enter.",
            (f"The client connects to {expected}, the token is for {session_id}.",),
        )
    left = (reading.expires_at_s or 0) - now / 1000
    return Finding(True, f"Accepted. It expires in {_span(left)}.")


async def _advice(server: Opened, reading: TokenReading, token: str, now: WallTime) -> tuple[str, ...]:
    """What to do about a refusal."""
    project = await server.projects.find(reading.api_key)
    if project is None:
        known = ", ".join(one.api_key for one in await server.projects.list()) or "none"
        return (f"It names the API key {reading.api_key or '(none)'}; this server has {known}.",)
    if project.status is not ProjectStatus.ACTIVE:
        return (f"`tertulia project activate {project.api_key}` serves the project again.",)
    if not _is_signed_by(project, reading, token, now):
        for other in await server.projects.list():
            if other.api_key != project.api_key and _is_signed_by(other, reading, token, now):
                return (f"It was signed with the secret of the project {other.api_key}, but names {project.api_key}.",)
        return (
            f"It was not signed with the present secret of the project {project.api_key}, nor with that of another "
            "project here: the application has an old secret, or one of another server.",
        )
    created, expires = reading.created_at_s, reading.expires_at_s
    now_s = now / 1000
    if expires is not None and expires <= now_s:
        lived = "" if created is None else f", {_span(expires - created)} after it was made"
        return (f"It expired {_span(now_s - expires)} ago{lived}; make a new one for each client that connects.",)
    if created is not None and created > now_s:
        return (f"Its maker's clock is {_span(created - now_s)} ahead of this machine's.",)
    return ()


def _is_signed_by(project: Project, reading: TokenReading, token: str, now: WallTime) -> bool:
    """Whether the project's secret made the signature, whatever else is wrong with the token."""
    stand_in = replace(project, status=ProjectStatus.ACTIVE)
    verifier: Any = verify_rest_token if reading.is_for_rest else verify_client_token
    try:
        verifier(token, lambda _: stand_in, now)
    except AuthenticationError as error:
        return "forged" not in error.message
    return True


def _facts(reading: TokenReading) -> dict[str, object]:
    fields = reading.fields
    facts: dict[str, object] = {
        "format": f"{reading.format}, {'for a server (REST)' if reading.is_for_rest else 'for a client'}",
        "api_key": reading.api_key,
        "created_at": _time(reading.created_at_s),
        "expires_at": _time(reading.expires_at_s),
    }
    if not reading.is_for_rest:
        facts |= {
            "session_id": fields.get("session_id"),
            "role": fields.get("role") or "publisher",
            "connection_data": fields.get("connection_data") or "",
            "layout_classes": fields.get("initial_layout_class_list") or "",
        }
    return facts


def _time(seconds: float | None) -> str | None:
    # Beyond these a token's time is nonsense, and no calendar has it.
    if seconds is None or not 0 <= seconds < 250_000_000_000:
        return None
    return time_of(int(seconds * 1000))


def _span(seconds: float) -> str:
    """A length of time in the unit that fits."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}s"
    count = max(1, round(seconds))
    return f"{count} second{'' if count == 1 else 's'}"
