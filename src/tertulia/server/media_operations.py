"""The operations on archives and broadcasts, and what all operations begin with."""

from __future__ import annotations

from collections.abc import Mapping

from tertulia.server import arguments
from tertulia.server.calls import Call, Credentials, nothing, reading
from tertulia.server.media_values import Archive, ArchiveList, Broadcast, BroadcastList, OutputModes, StreamModes

__all__ = ["MediaOperations"]


class MediaOperations:
    """Makes calls about archives and broadcasts; `Operations` adds the others."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._project = f"/v2/project/{credentials.api_key}"

    # ---- archives

    def start_archive(
        self,
        session_id: str,
        has_audio: bool = True,
        has_video: bool = True,
        name: str | None = None,
        output_mode: OutputModes | str = OutputModes.composed,
        stream_mode: StreamModes | str = StreamModes.auto,
        resolution: str | None = None,
        layout: Mapping[str, str] | None = None,
        multi_archive_tag: str | None = None,
        max_bitrate: int | None = None,
        quantization_parameter: int | None = None,
        has_transcription: bool = False,
        transcription_properties: Mapping[str, object] | None = None,
    ) -> Call[Archive]:
        """Record a session.

        Args:
            session_id: The session; it is routed and somebody is in it.
            has_audio: Whether sound is recorded.
            has_video: Whether pictures are.
            name: Up to 255 characters.
            output_mode: One picture, or a file for each stream.
            stream_mode: Whether all streams are in it by themselves.
            resolution: Of a composed archive, for example `1280x720`; 640x480 if it is None.
            layout: Of a composed archive: `type`, and perhaps `stylesheet` or `screenshareType`.
            multi_archive_tag: Tells archives of a session apart that run at the same time.
            max_bitrate: Of a composed archive, 100000 to 6000000 bit/s.
            quantization_parameter: Instead of that, 15 (best) to 40.
            has_transcription: Whether what is said is written down; of individual archives with sound.
            transcription_properties: `primaryLanguageCode` and `hasSummary`.

        Raises:
            NotFoundError: If there is no such session, or nobody is in it.
            ConflictError: If the session is relayed, encrypted end to end, or is recorded already.
            PermissionDeniedError: If the server makes no archives.
            ApiError: Any other of the tree.
        """
        body = _given(
            sessionId=arguments.session(session_id),
            hasAudio=has_audio,
            hasVideo=has_video,
            name=name,
            outputMode=arguments.member(OutputModes, output_mode, "output_mode"),
            resolution=resolution,
            layout=None if layout is None else dict(layout),
            streamMode=arguments.member(StreamModes, stream_mode, "stream_mode"),
            multiArchiveTag=multi_archive_tag,
            maxBitrate=max_bitrate,
            quantizationParameter=quantization_parameter,
            hasTranscription=has_transcription or None,
            transcriptionProperties=None if transcription_properties is None else dict(transcription_properties),
        )
        return Call("POST", f"{self._project}/archive", reading(Archive), json=body)

    def stop_archive(self, archive_id: str) -> Call[Archive]:
        """Stop an archive.

        Args:
            archive_id: Its id.

        Raises:
            NotFoundError: If there is no such archive.
            ApiError: Any other of the tree.
        """
        return Call("POST", f"{self._archive(archive_id)}/stop", reading(Archive), json={})

    def get_archive(self, archive_id: str) -> Call[Archive]:
        """Find out about an archive.

        Args:
            archive_id: Its id.

        Raises:
            NotFoundError: If there is no such archive.
            ApiError: Any other of the tree.
        """
        return Call("GET", self._archive(archive_id), reading(Archive), repeatable=True)

    def list_archives(self, offset: int = 0, count: int = 50, session_id: str | None = None) -> Call[ArchiveList]:
        """List archives of the project, or of one session.

        Args:
            offset: How many of the newest are passed over.
            count: How many are wanted, 1 to 1000.
            session_id: The session; all of them if it is None.

        Raises:
            NotFoundError: If there is no such session.
            ApiError: Any other of the tree.
        """
        query = {"offset": offset, "count": count, "sessionId": session_id}
        return Call("GET", f"{self._project}/archive", reading(ArchiveList), repeatable=True, query=query)

    def set_archive_layout(
        self, archive_id: str, layout_type: str, stylesheet: str | None = None, screenshare_type: str | None = None
    ) -> Call[None]:
        """Change the layout of an archive.

        Args:
            archive_id: Its id.
            layout_type: `bestFit`, `pip`, `verticalPresentation`, `horizontalPresentation` or `custom`.
            stylesheet: Of a `custom` layout.
            screenshare_type: The layout while a screen is shared, with `bestFit`.

        Raises:
            NotFoundError: If there is no such archive.
            InvalidParameterError: If the layout is not lawful.
            ApiError: Any other of the tree.
        """
        return _layout_of(self._archive(archive_id), layout_type, stylesheet, screenshare_type)

    def add_archive_stream(
        self, archive_id: str, stream_id: str, has_audio: bool = True, has_video: bool = True
    ) -> Call[None]:
        """Take a stream into an archive whose streams are chosen by hand.

        Args:
            archive_id: Its id.
            stream_id: The stream.
            has_audio: Whether with its sound.
            has_video: Whether with its picture.

        Raises:
            NotFoundError: If there is no such archive or stream.
            ConflictError: If all streams are in it by themselves.
            ApiError: Any other of the tree.
        """
        stream = arguments.text(stream_id, "stream_id")
        return _streams_of(self._archive(archive_id), addStream=stream, hasAudio=has_audio, hasVideo=has_video)

    def remove_archive_stream(self, archive_id: str, stream_id: str) -> Call[None]:
        """Take a stream out of an archive whose streams are chosen by hand.

        Args:
            archive_id: Its id.
            stream_id: The stream.

        Raises:
            NotFoundError: If there is no such archive or stream.
            ConflictError: If all streams are in it by themselves.
            ApiError: Any other of the tree.
        """
        return _streams_of(self._archive(archive_id), removeStream=arguments.text(stream_id, "stream_id"))

    def delete_archive(self, archive_id: str) -> Call[None]:
        """Delete an archive that has ended, and its file.

        Args:
            archive_id: Its id.

        Raises:
            NotFoundError: If there is no such archive.
            ConflictError: If it is still recorded.
            ApiError: Any other of the tree.
        """
        return Call("DELETE", self._archive(archive_id), nothing)

    # ---- broadcasts

    def start_broadcast(
        self,
        session_id: str,
        options: Mapping[str, object],
        stream_mode: StreamModes | str = StreamModes.auto,
        multi_broadcast_tag: str | None = None,
        max_bitrate: int | None = None,
    ) -> Call[Broadcast]:
        """Send a session as a live stream.

        Args:
            session_id: The session; it is routed and somebody is in it.
            options: `outputs` (`hls`, `rtmp` or both); perhaps `layout`, `maxDuration`, `resolution`, `hasAudio`,
                `hasVideo`.
            stream_mode: Whether all streams are in it by themselves.
            multi_broadcast_tag: Tells broadcasts of a session apart that run at the same time.
            max_bitrate: 100000 to 6000000 bit/s.

        Raises:
            NotFoundError: If there is no such session, or nobody is in it.
            ConflictError: If the session is relayed, encrypted end to end, or is broadcast already.
            PermissionDeniedError: If the server makes no broadcasts.
            ApiError: Any other of the tree.
        """
        body = _given(
            sessionId=arguments.session(session_id),
            streamMode=arguments.member(StreamModes, stream_mode, "stream_mode"),
            multiBroadcastTag=multi_broadcast_tag,
            maxBitrate=max_bitrate,
        )
        return Call("POST", f"{self._project}/broadcast", reading(Broadcast), json={**options, **body})

    def stop_broadcast(self, broadcast_id: str) -> Call[Broadcast]:
        """Stop a broadcast.

        Args:
            broadcast_id: Its id.

        Raises:
            NotFoundError: If there is no such broadcast.
            ApiError: Any other of the tree.
        """
        return Call("POST", f"{self._broadcast(broadcast_id)}/stop", reading(Broadcast), json={})

    def get_broadcast(self, broadcast_id: str) -> Call[Broadcast]:
        """Find out about a broadcast.

        Args:
            broadcast_id: Its id.

        Raises:
            NotFoundError: If there is no such broadcast.
            ApiError: Any other of the tree.
        """
        return Call("GET", self._broadcast(broadcast_id), reading(Broadcast), repeatable=True)

    def list_broadcasts(self, offset: int = 0, count: int = 50, session_id: str | None = None) -> Call[BroadcastList]:
        """List broadcasts of the project, or of one session.

        Args:
            offset: How many of the newest are passed over.
            count: How many are wanted, 1 to 1000.
            session_id: The session; all of them if it is None.

        Raises:
            NotFoundError: If there is no such session.
            ApiError: Any other of the tree.
        """
        query = {"offset": offset, "count": count, "sessionId": session_id}
        return Call("GET", f"{self._project}/broadcast", reading(BroadcastList), repeatable=True, query=query)

    def set_broadcast_layout(
        self, broadcast_id: str, layout_type: str, stylesheet: str | None = None, screenshare_type: str | None = None
    ) -> Call[None]:
        """Change the layout of a broadcast.

        Args:
            broadcast_id: Its id.
            layout_type: `bestFit`, `pip`, `verticalPresentation`, `horizontalPresentation` or `custom`.
            stylesheet: Of a `custom` layout.
            screenshare_type: The layout while a screen is shared, with `bestFit`.

        Raises:
            NotFoundError: If there is no such broadcast.
            InvalidParameterError: If the layout is not lawful.
            ApiError: Any other of the tree.
        """
        return _layout_of(self._broadcast(broadcast_id), layout_type, stylesheet, screenshare_type)

    def add_broadcast_stream(
        self, broadcast_id: str, stream_id: str, has_audio: bool = True, has_video: bool = True
    ) -> Call[None]:
        """Take a stream into a broadcast whose streams are chosen by hand.

        Args:
            broadcast_id: Its id.
            stream_id: The stream.
            has_audio: Whether with its sound.
            has_video: Whether with its picture.

        Raises:
            NotFoundError: If there is no such broadcast or stream.
            ConflictError: If all streams are in it by themselves.
            ApiError: Any other of the tree.
        """
        stream = arguments.text(stream_id, "stream_id")
        return _streams_of(self._broadcast(broadcast_id), addStream=stream, hasAudio=has_audio, hasVideo=has_video)

    def remove_broadcast_stream(self, broadcast_id: str, stream_id: str) -> Call[None]:
        """Take a stream out of a broadcast whose streams are chosen by hand.

        Args:
            broadcast_id: Its id.
            stream_id: The stream.

        Raises:
            NotFoundError: If there is no such broadcast or stream.
            ConflictError: If all streams are in it by themselves.
            ApiError: Any other of the tree.
        """
        return _streams_of(self._broadcast(broadcast_id), removeStream=arguments.text(stream_id, "stream_id"))

    def _archive(self, archive_id: str) -> str:
        return f"{self._project}/archive/{arguments.part(archive_id, 'archive_id')}"

    def _broadcast(self, broadcast_id: str) -> str:
        return f"{self._project}/broadcast/{arguments.part(broadcast_id, 'broadcast_id')}"


# What archives and broadcasts have in common; `address` is that of one of them.


def _layout_of(address: str, layout_type: str, stylesheet: str | None, screenshare_type: str | None) -> Call[None]:
    body = _given(type=layout_type, stylesheet=stylesheet, screenshareType=screenshare_type)
    return Call("PUT", f"{address}/layout", nothing, repeatable=True, json=body)


def _streams_of(address: str, **change: str | bool) -> Call[None]:
    return Call("PATCH", f"{address}/streams", nothing, repeatable=True, json=change)


def _given(**members: object) -> dict[str, object]:
    """What was said, without what was not."""
    return {name: value for name, value in members.items() if value is not None}
