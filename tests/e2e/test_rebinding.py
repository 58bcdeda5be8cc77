"""Slot pairs are used again for other streams, and nobody ever sees a frame of the one before."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.e2e.person import Person

Arrive = Callable[..., Person]

SEED = 20261123
ROUNDS = 12
COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


def nearest(pixel: list[int]) -> str:
    """The name of the colour that a decoded pixel is closest to, or `dark` before the first picture."""
    if max(pixel) < 60:
        return "dark"
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], pixel, strict=True)))


def test_no_frame_of_the_stream_that_the_slot_carried_before_is_ever_shown(
    arrive: Arrive, record_property: Callable[[str, object], None]
) -> None:
    record_property("seed", SEED)
    choice = random.Random(SEED)
    streams = {colour: arrive(subscribe_to_all=False).publish_colour(colour) for colour in COLOURS}
    viewer = arrive(subscribe_to_all=False)
    viewer.page.evaluate("() => { person.seen = {}; person.round = 0 }")
    for colour in streams:
        viewer.sees("streamCreated", streams=[streams[colour]])
    frames = 0
    for _ in range(ROUNDS):
        wanted = choice.sample(sorted(COLOURS), 2)
        for colour in wanted:
            viewer.page.evaluate(
                """async ([colour, id]) => {
                    const stream = await person.find('streams', 'streamId', id);
                    const subscriber = person.subscribe(stream, { width: 160, height: 120 });
                    const seen = person.seen[`${person.round += 1} ${colour}`] = [];
                    person.watchColours(document.getElementById(subscriber.id), seen);
                }""",
                [colour, streams[colour]],
            )
        for colour in wanted:
            viewer.wait(
                "colour => Object.entries(person.seen).findLast(([key]) => key.endsWith(` ${colour}`))[1].length >= 6",
                colour,
            )
        # Everything at once, so that pairs are released while others are bound.
        viewer.page.evaluate(
            "ids => { for (const id of ids) person.session.unsubscribe(person.subscribers[id]) }",
            [streams[colour] for colour in wanted],
        )
    for key, pixels in viewer.page.evaluate("() => person.seen").items():
        colour = key.split(" ")[1]
        shown = {nearest(pixel) for pixel in pixels}
        assert shown == {colour}, f"seed {SEED}, round {key} showed {shown}"
        frames += len(pixels)
    assert frames >= ROUNDS * 2 * 6
