"""Subscriptions and the slot pairs that carry them. Pure: inputs change the state and return effects.

A subscription is asked for, answered with a number, bound to a slot pair and unbound again, any number of times. A slot
is released only after nothing of the binding is handed over any more: `Detach` always precedes `releaseSlot`.
Keys are the client's own and never used twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tertulia.client.values import Wishes
from tertulia.wire import signalling as wire


@dataclass(frozen=True, slots=True)
class AskToSubscribe:
    """Effect: send this request, and call `answered` or `refused` with its outcome."""

    key: int
    request: wire.Subscribe


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Effect: send this request; its answer changes nothing."""

    request: wire.UpdateSubscription | wire.Unsubscribe | wire.ReleaseSlot


@dataclass(frozen=True, slots=True)
class Attach:
    """Effect: media of the subscription comes in this binding."""

    key: int
    binding: wire.Binding


@dataclass(frozen=True, slots=True)
class Detach:
    """Effect: hand over nothing of the binding any more."""

    key: int


@dataclass(frozen=True, slots=True)
class Carry:
    """Effect: the sound of the subscription comes by the audio line of this slot, from an RTP timestamp on.

    Without a slot it comes by its own pair again.
    """

    key: int
    slot: int | None
    start: int | None


Effect = AskToSubscribe | SendRequest | Attach | Detach | Carry


@dataclass(slots=True)
class _Subscription:
    """One subscription. `id` is the server's number, None before the answer; `told` is what it was told last."""

    stream_id: str
    wishes: Wishes
    told: Wishes
    id: int | None = None
    binding: wire.Binding | None = None
    abandoned: bool = False


class Subscriptions:
    """The subscriptions of one client during one connection."""

    def __init__(self) -> None:
        """There are none at first."""
        self._all: dict[int, _Subscription] = {}
        # Which subscription each audio slot carries, by the server's numbers, and from which timestamp on.
        self._carried: dict[int, tuple[int, int | None]] = {}

    def subscribe(self, key: int, stream_id: str, wishes: Wishes) -> list[Effect]:
        """The program wants a stream."""
        self._all[key] = _Subscription(stream_id, wishes, wishes)
        size, rate = _dimensions(wishes), wishes.frame_rate
        return [AskToSubscribe(key, wire.Subscribe(stream_id, wishes.audio, wishes.video, size, rate))]

    def answered(self, key: int, id: int) -> list[Effect]:
        """The server has given the subscription its number."""
        found = self._all.get(key)
        if found is None:
            return []
        if found.abandoned:
            del self._all[key]
            return [SendRequest(wire.Unsubscribe(id))]
        found.id = id
        return self._tell_wishes(found)

    def refused(self, key: int) -> None:
        """The server has refused the subscription."""
        self._all.pop(key, None)

    def update(self, key: int, wishes: Wishes) -> list[Effect]:
        """The program wants something else of a stream."""
        found = self._all.get(key)
        if found is None:
            return []
        found.wishes = wishes
        return self._tell_wishes(found)

    def unsubscribe(self, key: int) -> list[Effect]:
        """The program wants nothing of a stream any more."""
        found = self._all.get(key)
        if found is None or found.abandoned:
            return []
        if found.id is None:
            found.abandoned = True
            return [Detach(key)]
        del self._all[key]
        return [Detach(key), SendRequest(wire.Unsubscribe(found.id))]

    def bound(self, binding: wire.Binding) -> list[Effect]:
        """The server sends a subscription in a slot pair."""
        for key, found in self._all.items():
            if found.id == binding.subscription_id:
                found.binding = binding
                return [Attach(key, binding), *self._carry(binding.subscription_id)]
        return []

    def audio_slot(self, slot: int, subscription_id: int | None, start: int | None) -> list[Effect]:
        """In a large session: an audio slot carries the sound of this subscription now, or of none."""
        before = self._carried.pop(slot, None)
        if subscription_id is not None:
            self._carried = {at: known for at, known in self._carried.items() if known[0] != subscription_id}
            self._carried[slot] = (subscription_id, start)
        if before == self._carried.get(slot):
            return []
        effects: list[Effect] = []
        if before is not None and before[0] != subscription_id and (key := self._bound_key(before[0])) is not None:
            effects.append(Carry(key, None, None))
        return effects if subscription_id is None else [*effects, *self._carry(subscription_id)]

    def unbound(self, slot: int, generation: int) -> list[Effect]:
        """The server does so no longer, and waits for the pair."""
        release = SendRequest(wire.ReleaseSlot(slot, generation))
        for key, found in self._all.items():
            if found.binding is not None and (found.binding.slot, found.binding.generation) == (slot, generation):
                found.binding = None
                return [Detach(key), release]
        return [release]

    def reconcile(self, bindings: Sequence[wire.Binding]) -> list[Effect]:
        """These are the bindings that the server holds, after a resume."""
        held = {(binding.slot, binding.generation) for binding in bindings}
        effects: list[Effect] = []
        known = [found.binding for found in self._all.values() if found.binding is not None]
        for binding in known:
            if (binding.slot, binding.generation) not in held:
                effects += self.unbound(binding.slot, binding.generation)
        kept = {(binding.slot, binding.generation) for binding in known}
        for binding in bindings:
            if (binding.slot, binding.generation) not in kept:
                effects += self.bound(binding)
        return effects

    def transport_replaced(self) -> list[Effect]:
        """All slot pairs are gone; new bindings will follow."""
        self._carried.clear()
        for found in self._all.values():
            found.binding = None
        return [Detach(key) for key in self._all]

    def key_of(self, id: int) -> int | None:
        """The key of the subscription with the server's number `id`."""
        return next((key for key, found in self._all.items() if found.id == id), None)

    def clear(self) -> list[Effect]:
        """The connection is over."""
        keys = list(self._all)
        self._all.clear()
        self._carried.clear()
        return [Detach(key) for key in keys]

    def _bound_key(self, id: int) -> int | None:
        key = self.key_of(id)
        return key if key is not None and self._all[key].binding is not None else None

    def _carry(self, id: int) -> list[Effect]:
        key = self._bound_key(id)
        slots = [(slot, start) for slot, (carried, start) in self._carried.items() if carried == id]
        return [] if key is None else [Carry(key, slot, start) for slot, start in slots]

    def _tell_wishes(self, found: _Subscription) -> list[Effect]:
        if found.id is None or found.told == found.wishes:
            return []
        wishes = found.told = found.wishes
        size, rate = _dimensions(wishes), wishes.frame_rate
        return [SendRequest(wire.UpdateSubscription(found.id, wishes.audio, wishes.video, size, rate))]


def _dimensions(wishes: Wishes) -> wire.Dimensions | None:
    return None if wishes.size is None else wire.Dimensions(*wishes.size)
