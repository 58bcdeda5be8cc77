import { expect, test } from 'vitest';

import { judgeStandstill, type StandstillState } from './standstill.ts';

/** When a key frame is asked for, of samples every 500 ms. */
function asked(seconds: number, at: (ms: number) => { packets: number; frames: number }): number[] {
  const times = [];
  let state: StandstillState | null = null;
  for (let ms = 0; ms <= 1_000 * seconds; ms += 500) {
    const judged = judgeStandstill(state, { at: ms, ...at(ms) });
    ({ state } = judged);
    if (judged.asks) times.push(ms);
  }
  return times;
}

test('video that is decoded, even seldom, needs nothing', () => {
  expect(asked(20, (ms) => ({ packets: ms, frames: Math.floor(ms / 1_900) }))).toEqual([]);
});

test('two seconds of packets without a frame are answered, then ever more seldom', () => {
  const times = asked(200, (ms) => ({ packets: ms, frames: 7 }));
  expect(times.slice(0, 6)).toEqual([2_000, 6_000, 14_000, 30_000, 62_000, 122_000]);
  expect(times).toHaveLength(7);
});

test('a frame makes it impatient again', () => {
  const times = asked(12, (ms) => ({ packets: ms, frames: ms < 7_000 ? 1 : 2 }));
  expect(times).toEqual([2_000, 6_000, 9_000]);
});

test('where nothing comes there is nothing to decode, and time counts from the first packet on', () => {
  expect(asked(30, () => ({ packets: 900, frames: 7 }))).toEqual([]);
  expect(asked(12, (ms) => ({ packets: Math.max(0, ms - 9_000), frames: 0 }))).toEqual([11_000]);
  expect(asked(12, (ms) => ({ packets: ms < 5_000 ? 0 : 3, frames: 0 }))).toEqual([]);
});

test('counters that begin anew are another line', () => {
  expect(asked(5, (ms) => ({ packets: ms < 1_500 ? 9_000 + ms : ms, frames: 0 }))).toEqual([3_500]);
});
