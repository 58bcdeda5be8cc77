"""Files and devices that cannot be opened: what is said about them."""

from __future__ import annotations

import errno
from pathlib import Path

import av
import pytest
from av.error import err_check

from tertulia.client import CaptureError
from tertulia.client.media import sources
from tests.signs import film


@pytest.mark.parametrize(
    ("number", "name", "cure"),
    [
        (errno.ENOENT, "OT_NO_DEVICES_FOUND", "Plug it in"),
        (errno.ENODEV, "OT_NO_DEVICES_FOUND", "Plug it in"),
        (errno.EBUSY, "OT_HARDWARE_UNAVAILABLE", "Another program uses it"),
        (errno.EACCES, "OT_HARDWARE_UNAVAILABLE", "group `video`"),
        (errno.EIO, "OT_HARDWARE_UNAVAILABLE", "used by another program, broken"),
    ],
    ids=["missing", "gone", "busy", "forbidden", "whatever ALSA means"],
)
def test_a_device_that_cannot_be_opened_is_told_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, number: int, name: str, cure: str
) -> None:
    monkeypatch.setattr(av, "open", lambda *_, **__: err_check(-number))
    with pytest.raises(CaptureError, match=cure) as caught:
        sources.open_all([("video", "/dev/video7", "")], loop=False)
    assert caught.value.name == name
    assert "/dev/video7" in caught.value.message
    assert isinstance(caught.value.__cause__, av.FFmpegError)


def test_a_camera_that_is_not_there_is_missing() -> None:
    with pytest.raises(CaptureError, match="It is not there") as caught:
        sources.open_all([("video", "/dev/no-such-camera", "v4l2")], loop=False)
    assert caught.value.name == "OT_NO_DEVICES_FOUND"


def test_a_film_in_an_unknown_format_is_to_be_converted(tmp_path: Path) -> None:
    film(tmp_path / "film.avi", "mpeg4", seconds=1)
    odd = tmp_path / "odd.avi"
    odd.write_bytes((tmp_path / "film.avi").read_bytes().replace(b"FMP4", b"QQQQ"))
    with pytest.raises(CaptureError, match=r"odd\.avi' has video in a format .* Convert it"):
        sources.open_all([("video", odd, None)], loop=False)
