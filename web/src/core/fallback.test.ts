import { describe, expect, test } from 'vitest';
import { judgeSending, SENDING, type FallbackChange, type FallbackState } from './fallback.ts';

/** A network over time: every two seconds 100 packets are sent. */
class Network {
  state: FallbackState = SENDING;
  told: string[] = [];
  private at = 0;
  private lost = 0;
  private sent = 0;

  /** Lets so many seconds pass, with that share of packets lost and that estimate. */
  pass(seconds: number, { loss = 0, bps = 1_000_000 as number | null } = {}): this {
    for (const end = this.at + seconds * 1000; this.at < end;) {
      this.at += 2000;
      this.sent += Math.round(100 * (1 - loss));
      this.lost += Math.round(100 * loss);
      const { state, change } = judgeSending(this.state, {
        at: this.at,
        availableBps: bps,
        soundBps: 60_000,
        lost: this.lost,
        sent: this.sent,
      });
      this.state = state;
      if (change !== null) this.told.push(change satisfies FallbackChange);
    }
    return this;
  }
}

describe('a publisher whose network is narrow', () => {
  test.each([
    ['by the estimate', { bps: 80_000 }],
    ['by lost packets', { loss: 0.4 }],
    ['by lost packets, where the browser has no estimate', { loss: 0.4, bps: null }],
  ] as const)('warns, then leaves the video out: %s', (_name, weather) => {
    expect(new Network().pass(10).pass(4, weather).told).toEqual(['warning']);
    expect(new Network().pass(10).pass(12, weather).told).toEqual(['warning', 'disabled']);
  });

  test('keeps the video while it is poor, but not bad', () => {
    expect(new Network().pass(10).pass(120, { bps: 130_000 }).told).toEqual(['warning']);
    expect(new Network().pass(10).pass(120, { loss: 0.15 }).told).toEqual(['warning']);
  });

  test('lifts the warning when it was good for a while', () => {
    const network = new Network().pass(10).pass(6, { bps: 130_000 });
    expect(network.pass(2).told).toEqual(['warning']);
    expect(network.pass(6).told).toEqual(['warning', 'lifted']);
  });

  test('is not warned of a moment', () => {
    expect(new Network().pass(10).pass(2, { loss: 0.5 }).pass(20).told).toEqual([]);
  });
});

describe('the video comes back', () => {
  test('after a trial that nobody is told of', () => {
    const network = new Network().pass(10).pass(8, { loss: 0.4 });
    expect(network.pass(10).told).toEqual(['warning', 'disabled', 'try']);
    expect(network.pass(10).told).toEqual(['warning', 'disabled', 'try', 'enabled']);
  });

  test('although the estimate stood still while nothing but sound was sent', () => {
    const network = new Network().pass(10).pass(18, { bps: 80_000 });
    expect(network.told.at(-1)).toBe('try');
    expect(network.pass(10, { bps: 200_000 }).told.at(-1)).toBe('enabled');
  });

  test('not while sound is lost as well', () => {
    expect(new Network().pass(10).pass(200, { loss: 0.4 }).told).toEqual(['warning', 'disabled']);
  });

  test('is tried less and less often when that fails', () => {
    const network = new Network().pass(10).pass(12, { bps: 80_000 });
    const trials = (seconds: number): number =>
      network.pass(seconds, { bps: 80_000 }).told.filter((change) => change === 'try').length;
    expect(trials(60)).toBe(2);
    expect(trials(600)).toBeLessThan(10);
    expect(network.told.filter((change) => change === 'enabled')).toEqual([]);
  });
});

test('a first sample judges nothing', () => {
  expect(judgeSending(SENDING, { at: 5000, availableBps: 1, soundBps: 0, lost: 900, sent: 100 }).change).toBeNull();
});
