import { expect, test } from 'vitest';
import { carry, NO_AUDIO_SLOTS, soundOf } from './audio-slots.ts';

test('a subscription that a slot carries is heard there, and in its own pair when the slot carries another', () => {
  const first = carry(NO_AUDIO_SLOTS, 6, { subscriptionId: 1, from: 960 });
  expect(first.changed).toEqual([1]);
  expect(soundOf(first.state, 1)).toEqual({ slot: 6, from: 960 });
  const second = carry(first.state, 6, { subscriptionId: 2, from: 4800 });
  expect(second.changed).toEqual([1, 2]);
  expect(soundOf(second.state, 1)).toBeNull();
  expect(soundOf(second.state, 2)).toEqual({ slot: 6, from: 4800 });
});

test('a slot that carries nothing gives its subscription back to its pair', () => {
  const { state } = carry(NO_AUDIO_SLOTS, 6, { subscriptionId: 1, from: 960 });
  const ended = carry(state, 6, null);
  expect(ended.changed).toEqual([1]);
  expect(soundOf(ended.state, 1)).toBeNull();
  expect(carry(ended.state, 6, null).changed).toEqual([]);
});

test('what is said twice changes nothing', () => {
  const { state } = carry(NO_AUDIO_SLOTS, 6, { subscriptionId: 1, from: 960 });
  expect(carry(state, 6, { subscriptionId: 1, from: 960 })).toEqual({ state, changed: [] });
  expect(carry(state, 6, { subscriptionId: 1, from: 961 }).changed).toEqual([1]);
});

test('a subscription is on one slot at most', () => {
  const { state } = carry(NO_AUDIO_SLOTS, 6, { subscriptionId: 1, from: 960 });
  const moved = carry(state, 7, { subscriptionId: 1, from: 1920 });
  expect(soundOf(moved.state, 1)).toEqual({ slot: 7, from: 1920 });
  expect(carry(moved.state, 7, null).state.size).toBe(0);
});
