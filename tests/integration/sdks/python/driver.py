"""Makes calls of the official Python SDK: each a line of JSON, `[name, arguments]`, answered with a line."""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import opentok

CALLS: dict[str, Callable[..., Any]] = {}


def offer(client: opentok.Client) -> None:
    CALLS.update(
        generate_token=lambda session_id, **rest: client.generate_token(session_id, **token(**rest)),
        create_session=lambda **rest: client.create_session(**session(**rest)).session_id,
        signal=lambda session_id, type, data, connection_id=None: client.send_signal(
            session_id, {"type": type, "data": data}, connection_id
        ),
        force_disconnect=client.force_disconnect,
        list_streams=lambda session_id: [vars(stream) for stream in client.list_streams(session_id)],
        get_stream=lambda session_id, stream_id: vars(client.get_stream(session_id, stream_id)),
        set_classes=lambda session_id, stream_id, classes: client.set_stream_class_lists(
            session_id, [{"id": stream_id, "layoutClassList": classes}]
        ),
        mute_stream=lambda session_id, stream_id: done(client.mute_stream(session_id, stream_id)),
        mute_all=lambda session_id, excluded: done(client.mute_all(session_id, excluded)),
        disable_mute=lambda session_id: done(client.disable_force_mute(session_id)),
        play_dtmf=lambda session_id, digits, connection_id=None: done(
            client.play_dtmf(session_id, connection_id, digits)
        ),
        start_archive=lambda session_id, **options: plain(client.start_archive(session_id, **archive(**options))),
        stop_archive=lambda id: plain(client.stop_archive(id)),
        get_archive=lambda id: plain(client.get_archive(id)),
        list_archives=lambda **page: [plain(one) for one in client.list_archives(**page)],
        delete_archive=lambda id: client.delete_archive(id),
        set_archive_layout=lambda id, type: done(client.set_archive_layout(id, type)),
        add_archive_stream=lambda id, stream_id: client.add_archive_stream(id, stream_id),
        remove_archive_stream=lambda id, stream_id: client.remove_archive_stream(id, stream_id),
        start_broadcast=lambda session_id, outputs: plain(client.start_broadcast(session_id, {"outputs": outputs})),
        stop_broadcast=lambda id: plain(client.stop_broadcast(id)),
        get_broadcast=lambda id: plain(client.get_broadcast(id)),
        set_broadcast_layout=lambda id, type: done(client.set_broadcast_layout(id, type)),
        add_broadcast_stream=lambda id, stream_id: client.add_broadcast_stream(id, stream_id),
        remove_broadcast_stream=lambda id, stream_id: client.remove_broadcast_stream(id, stream_id),
        dial=lambda session_id, token, uri: plain(client.dial(session_id, token, uri)),
        start_captions=lambda session_id, token: plain(client.start_captions(session_id, token)),
        stop_captions=lambda id: client.stop_captions(id),
        connect_websocket=lambda session_id, token, uri: plain(
            client.connect_audio_to_websocket(
                session_id, token, {"uri": uri, "audio_transport": {"transport": "json", "encoding": "base64"}}
            )
        ),
        start_render=lambda session_id, token, url: plain(client.start_render(session_id, token, url)),
        get_render=lambda id: plain(client.get_render(id)),
        stop_render=lambda id: done(client.stop_render(id)),
        list_renders=lambda: [plain(one) for one in client.list_renders().items],
        offers=lambda: sorted(CALLS.keys() - {"offers", "methods"}),
        methods=lambda: [name for name in dir(opentok.Client) if callable(getattr(opentok.Client, name))],
    )


def session(
    media: str = "relayed",
    archive: str = "manual",
    archive_name: str | None = None,
    archive_resolution: str | None = None,
    location: str | None = None,
    e2ee: bool = False,
) -> dict[str, Any]:
    return {
        "media_mode": opentok.MediaModes[media],
        "archive_mode": opentok.ArchiveModes[archive],
        "archive_name": archive_name,
        "archive_resolution": archive_resolution,
        "location": location,
        "e2ee": e2ee,
    }


def token(
    role: str | None = None,
    data: str | None = None,
    classes: list[str] | None = None,
    expires_at_s: int | None = None,
    t1: bool = False,
) -> dict[str, Any]:
    options: dict[str, Any] = {"data": data, "expire_time": expires_at_s, "use_jwt": not t1}
    if role is not None:
        options["role"] = opentok.Roles(role)
    if classes is not None:
        options["initial_layout_class_list"] = classes
    return options


def archive(name: str | None = None, output_mode: str = "composed", resolution: str | None = None) -> dict[str, Any]:
    return {"name": name, "output_mode": opentok.OutputModes(output_mode), "resolution": resolution}


def plain(value: Any) -> dict[str, Any]:
    """The members of an object of the SDK."""
    return {name: member for name, member in vars(value).items() if name != "sdk"}


def done(response: Any) -> None:
    """Some methods return the raw response, or nothing at all after some errors."""
    if response is None:
        raise RuntimeError("the SDK returned nothing, as it does after errors that it does not raise")


def text(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else str(value) if isinstance(value, datetime) else repr(value)


def main() -> None:
    url, api_key, api_secret = sys.argv[1:]
    offer(opentok.Client(api_key, api_secret, api_url=url))
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"value": CALLS[name](**arguments)}
        except Exception as error:  # noqa: BLE001  # whatever the SDK raises is the answer
            answer = {"error": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps(answer, default=text) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
