"""Media that a test can read back: a counter in black and white fields of a picture, and tones."""

from __future__ import annotations

import array
import math
from collections.abc import AsyncIterator, Iterable
from fractions import Fraction
from pathlib import Path

import av
from av import AudioFrame, VideoFrame

BITS = 12
TONE_HZ = 440
RATE = 48_000


def picture(number: int, width: int = 320, height: int = 240) -> VideoFrame:
    """A picture with `number` in it: BITS fields from left to right, highest first, white is 1."""
    frame = VideoFrame(width, height, "yuv420p")
    luma, *chroma = frame.planes
    row = bytearray(luma.line_size)
    for x in range(width):
        row[x] = 235 if number >> (BITS - 1 - x * BITS // width) & 1 else 16
    luma.update(bytes(row) * height)
    for plane in chroma:
        plane.update(b"\x80" * plane.buffer_size)
    return frame


def number_in(frame: VideoFrame) -> int:
    """The number in a picture, after any codec and scaling."""
    grey = frame.reformat(format="gray")
    plane = bytes(grey.planes[0])
    start, number = grey.height // 2 * grey.planes[0].line_size, 0
    for bit in range(BITS):
        x = (2 * bit + 1) * grey.width // (2 * BITS)
        number = number << 1 | (plane[start + x] > 128)
    return number


def sound(first: int, samples: int = 960, hertz: float = TONE_HZ, *, amplitude: int = 8000) -> AudioFrame:
    """A piece of a tone that begins with sample number `first`."""
    wave = (int(amplitude * math.sin(2 * math.pi * hertz * (first + n) / RATE)) for n in range(samples))
    frame = AudioFrame("s16", "mono", samples)
    frame.sample_rate = RATE
    frame.planes[0].update(array.array("h", wave).tobytes())
    return frame


async def counter(
    first: int = 0, sizes: Iterable[tuple[int, int]] = (), last: int | None = None
) -> AsyncIterator[VideoFrame]:
    """Pictures that count. Those at the beginning have the given sizes, the rest 320 by 240."""
    wanted = iter(sizes)
    number = first
    while last is None or number <= last:
        width, height = next(wanted, (320, 240))
        yield picture(number % (1 << BITS), width, height)
        number += 1


async def tone(hertz: float = TONE_HZ, *, amplitude: int = 8000) -> AsyncIterator[AudioFrame]:
    """A tone without end."""
    first = 0
    while True:
        yield sound(first, hertz=hertz, amplitude=amplitude)
        first += 960


def film(
    path: Path, codec: str = "libvpx", *, seconds: int, first: int = 0, options: dict[str, str] | None = None
) -> None:
    """Writes a film without sound that counts from `first`, 20 pictures a second, with a key frame twice a second."""
    with av.open(str(path), "w", options=options or {}) as output:
        pictures = output.add_stream(codec, rate=20)
        assert isinstance(pictures, av.VideoStream)
        pictures.width, pictures.height, pictures.pix_fmt, pictures.gop_size = 320, 240, "yuv420p", 10
        for number in range(20 * seconds):
            frame = picture(first + number)
            frame.pts, frame.time_base = number, Fraction(1, 20)
            output.mux(pictures.encode(frame))
        output.mux(pictures.encode())


def strength(frames: Iterable[AudioFrame], hertz: float) -> float:
    """How much of the sound is this tone: 0 to 1 (Goertzel). The frames follow each other and have one shape."""
    samples: list[int] = []
    for frame in frames:
        channels = len(frame.layout.channels)
        samples += memoryview(bytes(frame.planes[0])).cast("h")[: frame.samples * channels : channels].tolist()
    power = sum(sample * sample for sample in samples)
    if not power:
        return 0.0
    angle = 2 * math.pi * hertz / RATE
    real = sum(sample * math.cos(angle * n) for n, sample in enumerate(samples))
    imaginary = sum(sample * math.sin(angle * n) for n, sample in enumerate(samples))
    return 2 * (real * real + imaginary * imaginary) / (len(samples) * power)
