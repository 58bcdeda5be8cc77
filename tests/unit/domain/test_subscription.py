"""Slot pairs by themselves: their states, and the choice among them."""

import pytest

from tertulia.domain.subscription import PairState, SlotPair, best_free_pair, next_pool_size
from tertulia.ids import Generation, SlotIndex, SubscriptionId


def pair(slot: int = 0, state: PairState = PairState.FREE, generation: int = 0) -> SlotPair:
    return SlotPair(SlotIndex(slot), "a", "v", state, Generation(generation))


@pytest.mark.parametrize("state", [PairState.BINDING, PairState.BOUND, PairState.RELEASING])
def test_only_a_free_pair_is_bound(state: PairState) -> None:
    with pytest.raises(AssertionError):
        pair(state=state).bind(SubscriptionId(1))


@pytest.mark.parametrize("state", [PairState.FREE, PairState.RELEASING])
def test_only_a_bound_pair_is_released(state: PairState) -> None:
    with pytest.raises(AssertionError):
        pair(state=state).release()


def test_each_binding_has_the_next_generation_and_forgets_the_last() -> None:
    first = pair(generation=4).bind(SubscriptionId(7))
    assert (first.generation, first.state, first.subscription_id) == (5, PairState.BINDING, 7)


def test_the_best_pair_is_free_little_used_and_low() -> None:
    pairs = [pair(0, PairState.BOUND), pair(1, generation=2), pair(2, generation=1), pair(3, generation=1)]
    best = best_free_pair(pairs)
    assert best is not None
    assert best.slot == 2
    assert best_free_pair([pair(0, PairState.RELEASING)]) is None


@pytest.mark.parametrize(("wanted", "size"), [(1, 2), (2, 2), (3, 4), (9, 16), (33, 48), (48, 48), (51, 56), (99, 56)])
def test_the_pool_grows_in_steps(wanted: int, size: int) -> None:
    assert next_pool_size(wanted) == size
