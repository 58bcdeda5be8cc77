import { expect, test } from 'vitest';

import { judgePlayout, NEW_PLAYOUT, type PlayoutState } from './playout.ts';

/** Samples every 500 ms, 25 packets and so many requests in each. */
function run(state: PlayoutState, count: number, requestsEach: number, roundTripMs = 50): PlayoutState {
  let now = state;
  for (let n = 0; n < count; n += 1) {
    const last = now.samples.at(-1) ?? { at: 0, packets: 0, requests: 0 };
    const sample = { at: last.at + 500, packets: last.packets + 25, requests: last.requests + requestsEach };
    now = judgePlayout(now, sample, roundTripMs);
  }
  return now;
}

test('nothing waits where nothing, or one packet, is lost', () => {
  expect(run(NEW_PLAYOUT, 20, 0).targetMs).toBeNull();
  const once = judgePlayout(run(NEW_PLAYOUT, 5, 0), { at: 3_000, packets: 150, requests: 1 }, 50);
  expect(once.targetMs).toBeNull();
});

test('repeats are waited for where packets are lost, and longer where repeats are lost too', () => {
  expect(run(NEW_PLAYOUT, 8, 1).targetMs).toBe(270);
  expect(run(NEW_PLAYOUT, 8, 5).targetMs).toBe(370);
  expect(run(NEW_PLAYOUT, 8, 1, 0).targetMs).toBe(200);
  expect(run(NEW_PLAYOUT, 8, 5, 400).targetMs).toBe(500);
});

test('the wait ends when losses have been over for ten seconds and not before', () => {
  const lossy = run(NEW_PLAYOUT, 8, 5);
  expect(run(lossy, 20, 0).targetMs).toBe(370);
  expect(run(lossy, 34, 0).targetMs).toBeNull();
});

test('a slightly other round trip changes nothing', () => {
  expect(run(run(NEW_PLAYOUT, 8, 5), 8, 5, 55).targetMs).toBe(370);
});

test('counters that begin anew begin everything anew', () => {
  const state = judgePlayout(run(NEW_PLAYOUT, 8, 5), { at: 9_000, packets: 3, requests: 0 }, 50);
  expect(state).toEqual(NEW_PLAYOUT);
});
