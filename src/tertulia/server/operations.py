"""Every operation of the API as a call: what `Client` and `AsyncClient` have in common."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from tertulia.server import arguments
from tertulia.server.calls import Call, nothing, reading
from tertulia.server.errors import InvalidParameterError
from tertulia.server.media_operations import MediaOperations
from tertulia.server.values import (
    ArchiveModes,
    Callback,
    Captions,
    ConnectionList,
    MediaModes,
    Project,
    Render,
    RenderList,
    Roles,
    Session,
    SignalPayload,
    SipCall,
    Stream,
    StreamList,
    WebSocketAudioConnection,
)
from tertulia.wire.tokens import DAY_S, MAX_DATA_CHARACTERS, MAX_LIFETIME_S, encode_jwt, encode_t1

__all__ = ["Operations"]


class _Made(msgspec.Struct):
    session_id: str


class Operations(MediaOperations):
    """Makes calls of arguments. Arguments that cannot be right raise InvalidParameterError before anything is sent."""

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
            arguments.member(MediaModes, media_mode, "media_mode"),
            arguments.member(ArchiveModes, archive_mode, "archive_mode"),
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
        arguments.session(session_id)
        now_s = self._credentials.clock.wall() // 1000
        expires_at_s = _expiry(expire_time, now_s)
        classes = " ".join(arguments.texts(initial_layout_class_list, "initial_layout_class_list"))
        for name, text in (("data", data or ""), ("initial_layout_class_list", classes)):
            if len(arguments.text(text, name)) > MAX_DATA_CHARACTERS:
                raise InvalidParameterError(f"{name} has more than {MAX_DATA_CHARACTERS} characters.")
        encode = encode_jwt if use_jwt else encode_t1
        return encode(
            api_key=self._credentials.api_key,
            api_secret=self._credentials.api_secret,
            session_id=session_id,
            created_at_s=now_s,
            expires_at_s=expires_at_s,
            role=arguments.member(Roles, role, "role").value,
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
        to = "" if connection_id is None else f"/connection/{arguments.part(connection_id, 'connection_id')}"
        said = {name: value for name, value in payload.items() if value is not None}
        given = {name: arguments.text(value, f"the signal's {name}") for name, value in said.items()}
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
        path = f"{self._session(session_id)}/connection/{arguments.part(connection_id, 'connection_id')}"
        return Call("DELETE", path, nothing)

    def list_streams(self, session_id: str) -> Call[StreamList]:
        """Find out what is being published in a session.

        Args:
            session_id: The session.

        Raises:
            NotFoundError: If there is no such session.
            ApiError: Any other of the tree.
        """
        return Call("GET", f"{self._session(session_id)}/stream", reading(StreamList), repeatable=True)

    def get_stream(self, session_id: str, stream_id: str) -> Call[Stream]:
        """Find out about one stream.

        Args:
            session_id: The session.
            stream_id: The stream.

        Raises:
            NotFoundError: If there is no such session or stream.
            ApiError: Any other of the tree.
        """
        path = f"{self._session(session_id)}/stream/{arguments.part(stream_id, 'stream_id')}"
        return Call("GET", path, reading(Stream), repeatable=True)

    def set_stream_class_lists(self, session_id: str, payload: Sequence[Mapping[str, object]]) -> Call[StreamList]:
        """Set the layout classes of streams, as archives and broadcasts use them.

        Args:
            session_id: The session.
            payload: For each stream its `id` and its whole `layoutClassList`; an empty list clears it.

        Returns:
            All streams of the session.

        Raises:
            NotFoundError: If there is no such session.
            InvalidParameterError: If a stream is not in it, or a list is too long; then nothing changes.
            ApiError: Any other of the tree.
        """
        body = {"items": [dict(item) for item in payload]}
        return Call("PUT", f"{self._session(session_id)}/stream", reading(StreamList), repeatable=True, json=body)

    def list_connections(self, session_id: str) -> Call[ConnectionList]:
        """Find out who is in a session.

        Args:
            session_id: The session.

        Raises:
            NotFoundError: If there is no such session.
            ApiError: Any other of the tree.
        """
        return Call("GET", f"{self._session(session_id)}/connection", reading(ConnectionList), repeatable=True)

    def mute_stream(self, session_id: str, stream_id: str) -> Call[Project]:
        """Mute a stream; its publisher is told, and may unmute itself.

        Args:
            session_id: The session.
            stream_id: The stream.

        Raises:
            NotFoundError: If there is no such session or stream.
            ApiError: Any other of the tree.
        """
        path = f"{self._session(session_id)}/stream/{arguments.part(stream_id, 'stream_id')}/mute"
        return Call("POST", path, reading(Project), json={})

    def mute_all(
        self,
        session_id: str,
        excludedStreamIds: Sequence[str] | None = None,  # noqa: N803 - the official SDK's name
    ) -> Call[Project]:
        """Mute every stream of a session and let later ones begin without sound.

        Args:
            session_id: The session.
            excludedStreamIds: Streams that stay as they are.

        Raises:
            NotFoundError: If there is no such session.
            ApiError: Any other of the tree.
        """
        body = {"active": True, "excludedStreamIds": arguments.texts(excludedStreamIds or (), "excludedStreamIds")}
        return Call("POST", f"{self._session(session_id)}/mute", reading(Project), json=body)

    def disable_force_mute(self, session_id: str) -> Call[Project]:
        """Let later streams begin with sound again; who is muted stays so.

        Args:
            session_id: The session.

        Raises:
            NotFoundError: If there is no such session.
            ApiError: Any other of the tree.
        """
        return Call(
            "POST", f"{self._session(session_id)}/mute", reading(Project), repeatable=True, json={"active": False}
        )

    # ---- features that a server may lack

    def play_dtmf(
        self, session_id: str, connection_id: str | None, digits: str, options: Mapping[str, object] | None = None
    ) -> Call[None]:
        """Play tones to one SIP connection of a session, or to all.

        Args:
            session_id: The session.
            connection_id: The SIP connection; all if it is None.
            digits: Of `0123456789*#p`; `p` is a pause of half a second.
            options: Not used; the official SDK has it.

        Raises:
            NotFoundError: If there is no such session or SIP connection.
            ApiError: Any other of the tree.
        """
        to = "" if connection_id is None else f"/connection/{arguments.part(connection_id, 'connection_id')}"
        body = {"digits": arguments.text(digits, "digits")}
        return Call("POST", f"{self._session(session_id)}{to}/play-dtmf", nothing, json=body)

    def dial(
        self, session_id: str, token: str, sip_uri: str, options: Mapping[str, object] | None = None
    ) -> Call[SipCall]:
        """Call a SIP address and bring it into a session.

        Args:
            session_id: The session.
            token: With which the call enters it.
            sip_uri: Whom to call, for example `sip:ida@example.org;transport=tls`.
            options: Further members of the request's `sip`: `from`, `headers`, `auth`, `secure`, `video`,
                `observeForceMute`, `streams`.

        Raises:
            PermissionDeniedError: If the server has no SIP.
            ApiError: Any other of the tree.
        """
        sip = {"uri": arguments.text(sip_uri, "sip_uri"), **(options or {})}
        return Call("POST", f"{self._project}/dial", reading(SipCall), json=self._entering(session_id, token, sip=sip))

    def start_captions(
        self,
        session_id: str,
        opentok_token: str,
        language_code: str = "en-US",
        max_duration: int = 14400,
        partial_captions: bool = True,
        status_callback_url: str | None = None,
    ) -> Call[Captions]:
        """Start live captions of a session.

        Args:
            session_id: The session.
            opentok_token: A moderator's token.
            language_code: What is spoken, for example `en-US`.
            max_duration: How long at most, 300 to 14400 seconds.
            partial_captions: Whether captions come before a sentence is complete.
            status_callback_url: Where changes are told.

        Raises:
            PermissionDeniedError: If the server has no captions.
            ApiError: Any other of the tree.
        """
        body = self._entering(
            session_id,
            opentok_token,
            languageCode=language_code,
            maxDuration=max_duration,
            partialCaptions=partial_captions,
            statusCallbackUrl=status_callback_url,
        )
        return Call("POST", f"{self._project}/captions", reading(Captions), json=body)

    def stop_captions(self, captions_id: str) -> Call[None]:
        """Stop live captions.

        Args:
            captions_id: Of the result of `start_captions`.

        Raises:
            PermissionDeniedError: If the server has no captions.
            ApiError: Any other of the tree.
        """
        return Call("POST", f"{self._project}/captions/{arguments.part(captions_id, 'captions_id')}/stop", nothing)

    def connect_audio_to_websocket(
        self, session_id: str, opentok_token: str, websocket_options: Mapping[str, object]
    ) -> Call[WebSocketAudioConnection]:
        """Send a session's audio to a WebSocket.

        Args:
            session_id: The session.
            opentok_token: With which the connector enters it.
            websocket_options: `uri`, and if wanted `streams`, `headers`, `audioRate`, `bidirectional`.

        Raises:
            PermissionDeniedError: If the server has no audio connector.
            ApiError: Any other of the tree.
        """
        body = self._entering(session_id, opentok_token, websocket=dict(websocket_options))
        return Call("POST", f"{self._project}/connect", reading(WebSocketAudioConnection), json=body)

    def start_render(
        self,
        session_id: str,
        opentok_token: str,
        url: str,
        max_duration: int = 7200,
        resolution: str = "1280x720",
        properties: Mapping[str, object] | None = None,
    ) -> Call[Render]:
        """Let a web page publish into a session.

        Args:
            session_id: The session.
            opentok_token: With which the page enters it.
            url: The page.
            max_duration: How long at most, 60 to 36000 seconds.
            resolution: Of the picture.
            properties: `name`, the stream's name.

        Raises:
            PermissionDeniedError: If the server has no experience composer.
            ApiError: Any other of the tree.
        """
        body = self._entering(
            session_id,
            opentok_token,
            url=url,
            maxDuration=max_duration,
            resolution=resolution,
            properties=None if properties is None else dict(properties),
        )
        return Call("POST", f"{self._project}/render", reading(Render), json=body)

    def get_render(self, render_id: str) -> Call[Render]:
        """Find out about a render.

        Args:
            render_id: Of the result of `start_render`.

        Raises:
            PermissionDeniedError: If the server has no experience composer.
            ApiError: Any other of the tree.
        """
        path = f"{self._project}/render/{arguments.part(render_id, 'render_id')}"
        return Call("GET", path, reading(Render), repeatable=True)

    def stop_render(self, render_id: str) -> Call[None]:
        """Stop a render.

        Args:
            render_id: Of the result of `start_render`.

        Raises:
            PermissionDeniedError: If the server has no experience composer.
            ApiError: Any other of the tree.
        """
        return Call("DELETE", f"{self._project}/render/{arguments.part(render_id, 'render_id')}", nothing)

    def list_renders(self, offset: int = 0, count: int = 50) -> Call[RenderList]:
        """List the project's renders.

        Args:
            offset: How many of the newest are passed over.
            count: How many are wanted, 1 to 1000.

        Raises:
            PermissionDeniedError: If the server has no experience composer.
            ApiError: Any other of the tree.
        """
        query = {"offset": offset, "count": count}
        return Call("GET", f"{self._project}/render", reading(RenderList), repeatable=True, query=query)

    # ---- callbacks

    def register_callback(self, group: str, event: str, url: str) -> Call[Callback]:
        """Have an address told of what happens in the project's sessions, by signed POST requests.

        Args:
            group: `session`, `connection` or `stream`; also `archive`, `broadcast`, `render`, `captions` and `sip`.
            event: `created` or `destroyed` for the first three, `status` for the others.
            url: Where to.

        Raises:
            InvalidParameterError: If one of them is not lawful, or the project has too many callbacks.
            ApiError: Any other of the tree.
        """
        body = {"group": arguments.text(group, "group"), "event": arguments.text(event, "event"), "url": url}
        return Call("POST", f"{self._project}/callback", reading(Callback), json=body)

    def list_callbacks(self) -> Call[tuple[Callback, ...]]:
        """Find out which callbacks the project has, the oldest first.

        Raises:
            ApiError: Any of the tree.
        """
        read = msgspec.json.Decoder(tuple[Callback, ...]).decode
        return Call("GET", f"{self._project}/callback", read, repeatable=True)

    def remove_callback(self, callback_id: str) -> Call[None]:
        """Remove a callback; what is pending for it is not sent any more.

        Args:
            callback_id: Of the result of `register_callback`.

        Raises:
            NotFoundError: If the project has no such callback.
            ApiError: Any other of the tree.
        """
        return Call("DELETE", f"{self._project}/callback/{arguments.part(callback_id, 'callback_id')}", nothing)

    def _entering(self, session_id: str, token: str, **more: object) -> dict[str, object]:
        given = {name: value for name, value in more.items() if value is not None}
        return {"sessionId": arguments.session(session_id), "token": arguments.text(token, "token"), **given}

    def _session(self, session_id: str) -> str:
        return f"{self._project}/session/{arguments.session(session_id)}"


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
