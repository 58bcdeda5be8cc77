import { beforeEach, describe, expect, test } from 'vitest';
import type { PathSample } from '../core/index.ts';
import { FakeWorld } from '../testing/index.ts';
import { PathWatch } from './path.ts';

let world: FakeWorld;
let watch: PathWatch;
let bytes: number;
let flows: boolean;
let sends: boolean;
let answers: boolean;
let log: string[];

beforeEach(() => {
  world = new FakeWorld();
  bytes = 0;
  flows = true;
  sends = true;
  answers = true;
  log = [];
  watch = new PathWatch({
    now: () => world.now(),
    after: (milliseconds, run) => world.after(milliseconds, run),
    sample: (): Promise<PathSample> => {
      if (flows) bytes += 1;
      return Promise.resolve({ pair: 'a', bytesReceived: bytes, checks: { sent: 0, answered: 0, roundTripMs: 1 } });
    },
    sends: () => sends,
    probe: () => {
      log.push('probe');
      return Promise.resolve(answers);
    },
    restartIce: () => log.push('restart'),
  });
});

/** Lets time pass in steps, and what was promised settle after each. */
async function pass(milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 100) {
    world.pass(100);
    for (let round = 0; round < 10; round += 1) await Promise.resolve();
  }
}

const restarts = (): number => log.filter((entry) => entry === 'restart').length;

describe('media that stops', () => {
  test('while the signalling lives leads to an ICE restart within 1.5 s', async () => {
    await pass(3_000);
    flows = false;
    await pass(1_500);
    expect(log).toEqual(['probe', 'restart']);
  });

  test('together with the signalling waits for that', async () => {
    await pass(3_000);
    [flows, answers] = [false, false];
    await pass(10_000);
    expect(restarts()).toBe(0);
    expect(log).toContain('probe');
    watch.resumed();
    expect(restarts()).toBe(1);
  });

  test('is restarted again after growing pauses, which a sign of life ends', async () => {
    await pass(3_000);
    flows = false;
    await pass(1_500 + 3_000 + 6_000 + 12_000);
    expect(restarts()).toBe(4);
    await pass(14_000);
    expect(restarts()).toBe(4);
    flows = true;
    await pass(3_000);
    flows = false;
    await pass(20_000);
    expect(restarts()).toBeGreaterThan(5);
  });

  test('for a client that only receives puts the socket in doubt once, and leaves ICE alone', async () => {
    sends = false;
    await pass(3_000);
    flows = false;
    await pass(10_000);
    expect(log).toEqual(['probe']);
  });
});

test('the browser that says so is believed', async () => {
  sends = false;
  await pass(1_000);
  flows = false;
  watch.interrupted();
  await pass(100);
  expect(log).toEqual(['probe', 'restart']);
});

test('a working path is left alone, also after the signalling was away', async () => {
  await pass(60_000);
  watch.resumed();
  expect(log).toEqual([]);
});

test('a watch that was stopped does nothing', async () => {
  await pass(3_000);
  flows = false;
  watch.stop();
  watch.interrupted();
  await pass(10_000);
  expect(restarts()).toBe(0);
});
