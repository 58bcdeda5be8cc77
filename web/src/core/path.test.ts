import { describe, expect, test } from 'vitest';
import { judgePath, NEW_PATH, SAMPLE_MS, type PathHealth, type PathSample } from './index.ts';

interface Moment {
  readonly bytes?: number;
  readonly sent?: number;
  readonly answered?: number;
  readonly pair?: string;
}

/** The health after each sample; what a moment does not name is as it was before. */
function healths(
  moments: readonly Moment[],
  { reported = false, counted = true, roundTripMs = 10 } = {},
): PathHealth[] {
  let state = NEW_PATH;
  let now = 0;
  let [bytes, sent, answered, pair] = [0, 0, 0, 'a'];
  return moments.map((moment) => {
    now += SAMPLE_MS;
    bytes += moment.bytes ?? 0;
    sent += moment.sent ?? 0;
    answered += moment.answered ?? 0;
    pair = moment.pair ?? pair;
    const sample: PathSample = { pair, bytesReceived: bytes, checks: counted ? { sent, answered, roundTripMs } : null };
    state = judgePath(state, sample, reported, now);
    return state.health;
  });
}

const FLOW = { bytes: 1000 };
const flow = (count: number): Moment[] => Array.from({ length: count }, () => FLOW);
const silence = (count: number): Moment[] => Array.from({ length: count }, () => ({}));

describe('an even flow that stops', () => {
  test('is quiet after two samples, and alive with the next packet', () => {
    expect(healths([...flow(5), ...silence(3), FLOW])).toEqual([
      ...flow(5).map(() => 'alive'),
      'alive',
      'quiet',
      'quiet',
      'alive',
    ]);
  });

  test('is proof when the server owes reports', () => {
    expect(healths([...flow(5), ...silence(2)], { reported: true }).at(-1)).toBe('dead');
  });

  test('means nothing when it was none', () => {
    expect(healths([...silence(2), FLOW, {}, FLOW, ...silence(4)], { reported: true })).not.toContain('dead');
  });
});

describe('a connectivity check', () => {
  test('without an answer is proof, also where nothing flows', () => {
    expect(healths([{}, { sent: 1, answered: 1 }, {}, {}, { sent: 1 }, { sent: 1 }])).toEqual([
      'alive',
      'alive',
      'alive',
      'alive',
      'alive',
      'dead',
    ]);
  });

  test('that is answered late on a slow network is none', () => {
    const late = [{}, { sent: 1 }, {}, { answered: 1 }, {}, { sent: 1 }, {}, { answered: 1 }];
    expect(healths(late, { roundTripMs: 900 })).not.toContain('dead');
  });

  test('means nothing while packets come', () => {
    expect(healths(flow(6).map((moment) => ({ ...moment, sent: 1 })))).not.toContain('dead');
  });
});

test('an idle client is alive between its checks', () => {
  const checks = Array.from({ length: 60 }, (_, index) => (index % 5 === 0 ? { sent: 1, answered: 1 } : {}));
  expect(new Set(healths(checks))).toEqual(new Set(['alive']));
});

test('where checks are not counted, a long silence is proof', () => {
  expect(healths(silence(12), { counted: false })).not.toContain('dead');
  expect(healths(silence(16), { counted: false }).at(-1)).toBe('dead');
});

test('another pair of addresses begins anew', () => {
  expect(healths([...flow(5), ...silence(2), { pair: 'b' }, {}, {}], { reported: true }).slice(5)).toEqual([
    'alive',
    'dead',
    'alive',
    'alive',
    'alive',
  ]);
});
