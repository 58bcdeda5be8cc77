"""Every operation of the API as a call: what `Client` and `AsyncClient` have in common."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from urllib.parse import quote

import msgspec

from tertulia.ids import is_session_id_shaped
from tertulia.server.calls import Call, Credentials, nothing
from tertulia.server.errors import InvalidParameterError, InvalidSessionIdError
from tertulia.server.values import ArchiveModes, MediaModes, Roles, Session, SignalPayload
from tertulia.wire.tokens import DAY_S, MAX_DATA_CHARACTERS, MAX_LIFETIME_S, encode_jwt, encode_t1

__all__ = ["Operations"]


E = TypeVar("E", bound=StrEnum)


class _Made(msgspec.Struct):
    session_id: str


class Operations:
    """Makes calls of arguments. Arguments that cannot be right raise InvalidParameterError before anything is sent."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._project = f"/v2/project/{credentials.api_key}"

    # ---- sessions and tokens

    def create_session(
        self,
        location: str | None = None,
        media_mode: MediaModes | str = MediaModes.relayed,
        archive_mode: ArchiveModes | str = ArchiveModes.manual,
        archive_name: str | None = None,
        archive_resolution: str | None = None,
        e2ee: bool = False,
    ) -> Call[Session]:
        """Make a session. It is relayed unless told otherwise, as with OpenTok's own SDKs.

        A lost answer is asked for again: a session that nobody knows of disturbs nobody.

        Args:
            location: An IPv4 address near the clients, as a hint where media should be.
            media_mode: `MediaModes.routed` for sessions that are archived or broadcast.
            archive_mode: `ArchiveModes.always` archives by itself; the session must be routed.
            archive_name: Name of the automatic archive, 1 to 80 characters; only with `always`.
            archive_resolution: Its size, for example `1280x720`; only with `always`.
            e2ee: Whether clients encrypt end to end; routed sessions without automatic archive only.

        Returns:
            The session; its `session_id` goes into tokens and pages.

        Raises:
            InvalidParameterError: If a value is out of range, alone or beside the others.
            ApiError: Any other of the tree.
        """
        media, archive = (
            _member(MediaModes, media_mode, "media_mode"),
            _member(ArchiveModes, archive_mode, "archive_mode"),
        )
        form = {"p2p.preference": media.value, "archiveMode": archive.value, "e2ee": "true" if e2ee else "false"}
        given = {"location": location, "archiveName": archive_name, "archiveResolution": archive_resolution}
        form |= {name: value for name, value in given.items() if value is not None}

        def read(body: bytes) -> Session:
            made = msgspec.json.decode(body, type=list[_Made])
            if len(made) != 1:
                raise msgspec.DecodeError("not exactly one session")
            return Session(made[0].session_id, media, archive, location, archive_name, archive_resolution, e2ee)

        return Call("POST", "/session/create", read, repeatable=True, form=form)

    def generate_token(
        self,
        session_id: str,
        role: Roles | str = Roles.publisher,
        expire_time: float | datetime | None = None,
        data: str | None = None,
        initial_layout_class_list: Sequence[str] = (),
        use_jwt: bool = True,
    ) -> str:
        """Make a token with which one client may enter a session. Nothing is sent: this needs the secret alone.

        Args:
            session_id: The session to enter.
            role: What the client may do there.
            expire_time: When the token expires, in seconds since the epoch or as a `datetime` with a time zone; within
                30 days from now, 24 hours unless given.
            data: Text that the other clients can read, for example a name; at most 1000 characters.
            initial_layout_class_list: Layout classes of the streams that the client will publish; joined by spaces at
                most 1000 characters.
            use_jwt: False makes a token of the older format (T1).

        Returns:
            The token.

        Raises:
            InvalidSessionIdError: If the text is not shaped like a session id.
            InvalidParameterError: If another argument is out of range.
        """
        _session(session_id)
        now_s = self._credentials.clock.wall() // 1000
        expires_at_s = _expiry(expire_time, now_s)
        classes = " ".join(_class_names(initial_layout_class_list))
        for name, text in (("data", data or ""), ("initial_layout_class_list", classes)):
            if len(_text(text, name)) > MAX_DATA_CHARACTERS:
                raise InvalidParameterError(f"{name} has more than {MAX_DATA_CHARACTERS} characters.")
        encode = encode_jwt if use_jwt else encode_t1
        return encode(
            api_key=self._credentials.api_key,
            api_secret=self._credentials.api_secret,
            session_id=session_id,
            created_at_s=now_s,
            expires_at_s=expires_at_s,
            role=_member(Roles, role, "role").value,
            connection_data=data or "",
            layout_classes=tuple(classes.split()),
            nonce=secrets.randbits(32),
        )

    # ---- live sessions

    def signal(
        self, session_id: str, payload: SignalPayload | Mapping[str, str], connection_id: str | None = None
    ) -> Call[None]:
        """Signal everybody in a session, or one connection. Clients see a signal without a sender.

        Args:
            session_id: The session.
            payload: The signal, for example `{"type": "chat", "data": "hello"}`.
            connection_id: Who gets it; everybody if it is None.

        Raises:
            NotFoundError: If nobody is there, or not the one.
            LimitExceededError: If type or data are too long.
            PermissionDeniedError: If a hook of the server's application refused it.
            ApiError: Any other of the tree.
        """
        to = "" if connection_id is None else f"/connection/{_part(connection_id, 'connection_id')}"
        given = {name: _text(value, f"the signal's {name}") for name, value in payload.items() if value is not None}
        return Call("POST", f"{self._session(session_id)}{to}/signal", nothing, json=given)

    def force_disconnect(self, session_id: str, connection_id: str) -> Call[None]:
        """Remove a client from a session; it and the others are told the reason `forceDisconnected`.

        Args:
            session_id: The session.
            connection_id: The client's connection.

        Raises:
            NotFoundError: If the connection is not in the session (any more).
            ApiError: Any other of the tree.
        """
        path = f"{self._session(session_id)}/connection/{_part(connection_id, 'connection_id')}"
        return Call("DELETE", path, nothing)

    def _session(self, session_id: str) -> str:
        return f"{self._project}/session/{_session(session_id)}"


def _session(session_id: str) -> str:
    if not is_session_id_shaped(_text(session_id, "session_id")):
        raise InvalidSessionIdError("The text is not shaped like a session id.")
    return session_id


def _text(value: object, name: str) -> str:
    """The argument, for callers who check no types."""
    if not isinstance(value, str):
        raise InvalidParameterError(f"{name} is not a text.")
    return value


def _part(text: str, name: str) -> str:
    """One part of a path, whatever is in it."""
    if not re.fullmatch(r"(?!\.+$).+", _text(text, name), re.DOTALL):
        raise InvalidParameterError(f"{name} is empty or not an id.")
    return quote(text, safe="")


def _member(kind: type[E], value: E | str, name: str) -> E:
    try:
        return kind(value)
    except ValueError as error:
        names = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
        raise InvalidParameterError(f"{name} is none of {names}.") from error


def _class_names(given: Sequence[str]) -> list[str]:
    if isinstance(given, str):
        raise InvalidParameterError("The layout classes are a text and not a list of texts.")
    return [_text(name, "a layout class") for name in given]


def _expiry(expire_time: object, now_s: int) -> int:
    if expire_time is None:
        return now_s + DAY_S
    if isinstance(expire_time, datetime):
        if expire_time.tzinfo is None:
            raise InvalidParameterError("expire_time has no time zone.", cure="Use datetime.now(UTC) + timedelta(…).")
        expire_time = expire_time.timestamp()
    if isinstance(expire_time, bool) or not isinstance(expire_time, int | float) or not math.isfinite(expire_time):
        raise InvalidParameterError("expire_time is neither a number nor a datetime.")
    if not now_s < expire_time <= now_s + MAX_LIFETIME_S:
        raise InvalidParameterError("expire_time is not within 30 days from now.")
    return int(expire_time)
