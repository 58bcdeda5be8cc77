"""The gate: who gives way when too many have proven nothing yet."""

from __future__ import annotations

import pytest

from tertulia.adapters.gate import Gate, Pass


class Crowd:
    """Connections at a gate, by name."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.expelled: list[str] = []
        self.passes: dict[str, Pass] = {}

    def come(self, name: str, address: str) -> None:
        self.passes[name] = self.gate.enter(address, lambda: self.expelled.append(name))

    def prove(self, name: str) -> None:
        self.gate.leave(self.passes[name])


def test_the_oldest_of_a_crowded_address_gives_way_and_no_other() -> None:
    crowd = Crowd(Gate(pending=100, per_address=2))
    crowd.come("bystander", "192.0.2.9")
    for number in range(4):
        crowd.come(f"silent {number}", "192.0.2.1")

    assert crowd.expelled == ["silent 0", "silent 1"]
    assert len(crowd.gate) == 3
    assert crowd.gate.expelled == 2


def test_the_oldest_of_all_gives_way_when_the_gate_is_full() -> None:
    crowd = Crowd(Gate(pending=3, per_address=100))
    for number in range(5):
        crowd.come(f"{number}", f"192.0.2.{number}")

    assert crowd.expelled == ["0", "1"]


def test_who_has_proven_itself_is_never_sent_away() -> None:
    crowd = Crowd(Gate(pending=2, per_address=2))
    crowd.come("honest", "192.0.2.1")
    crowd.prove("honest")
    crowd.prove("honest")
    for number in range(10):
        crowd.come(f"silent {number}", "192.0.2.1")

    assert "honest" not in crowd.expelled
    assert len(crowd.gate) == 2


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
    ],
)
def test_a_source_is_an_address_or_what_one_customer_has(one: str, other: str, *, is_same: bool) -> None:
    crowd = Crowd(Gate(pending=10, per_address=1))
    crowd.come("one", one)
    crowd.come("other", other)

    assert (crowd.expelled == ["one"]) is is_same
