"""What a server's processes are started with."""

from __future__ import annotations

from pathlib import Path

from tertulia.config import load
from tertulia.preparation import router_command


def options(**media: object) -> list[str]:
    return options_of({f"media.{name}": value for name, value in media.items()})


def options_of(flags: dict[str, object]) -> list[str]:
    return list(router_command(Path("tertulia-router"), load(environment={}, flags=flags))[1:])


def value_of(option: str, given: list[str]) -> str:
    return given[given.index(option) + 1]


def test_the_router_is_told_how_its_threads_share_a_session() -> None:
    given = options(shards=3, group_share=2)

    assert (value_of("--shards", given), value_of("--group-share", given)) == ("3", "2")


def test_the_router_counts_the_cores_itself_unless_it_is_told() -> None:
    given = options()

    assert "--shards" not in given
    assert value_of("--group-share", given) == "16"


def test_only_what_is_set_is_passed_on() -> None:
    assert "--local-only" not in options()
    assert "--local-only" in options(local_only=True)
    assert value_of("--public-address", options(public_addresses=["192.0.2.7"])) == "192.0.2.7"
    assert "--orphan-grace" not in options()
    assert "--impair" not in options()
    bad = options_of({"development": True, "impair": "loss=20,delay=150"})
    assert value_of("--impair", bad) == "loss=20,delay=150"
    assert value_of("--orphan-grace", options_of({"sessions.orphan_grace_s": 2.5})) == "2.5"
