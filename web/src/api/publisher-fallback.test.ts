import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { v2 } from '../eras/index.ts';
import type { PublisherStats, SentLines } from '../rtc/index.ts';
import { Emitter } from './emitter.ts';
import type { Event } from './events.ts';
import { PublisherFallback } from './publisher-fallback.ts';

let log: string[];
let bps: number;
let lines: SentLines;
let sendsVideo: boolean;
let fallback: PublisherFallback;

function linesCalled(name: string): SentLines {
  return {
    switchVideo: (on: boolean) => {
      log.push(`${name} ${on ? 'sends' : 'is silent'}`);
      return Promise.resolve();
    },
  } as unknown as SentLines;
}

function make(isWanted = true): PublisherFallback {
  const emitter = new Emitter(v2);
  for (const type of ['videoDisabled', 'videoEnabled', 'videoDisableWarning', 'videoDisableWarningLifted'])
    emitter.on(type, (event: Event & { reason?: string }) => log.push(`${type} ${event.reason ?? ''}`.trim()));
  return new PublisherFallback(
    {
      emitter,
      audioBitrateBps: undefined,
      widget: () => null,
      sendsVideo: () => sendsVideo,
      lines: () => lines,
      read: () =>
        Promise.resolve({
          mediaLink: { transport: { connectionEstimatedBandwidth: bps } },
        } as unknown as PublisherStats),
      tell: (hasVideo) => log.push(`hasVideo ${hasVideo}`),
    },
    isWanted,
  );
}

beforeEach(() => {
  vi.useFakeTimers();
  [log, bps, sendsVideo] = [[], 1_000_000, true];
  lines = linesCalled('line');
  fallback = make();
});
afterEach(() => {
  fallback.end();
  vi.useRealTimers();
});

const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000);

test('the video is left out and comes back, and everybody is told', async () => {
  fallback.begin();
  await pass(6);
  bps = 30_000;
  await pass(14);
  expect(log).toEqual(['videoDisableWarning', 'hasVideo false', 'line is silent', 'videoDisabled quality']);
  expect(fallback.isActive).toBe(true);
  log.length = 0;
  await pass(6);
  bps = 400_000;
  await pass(12);
  expect(log).toEqual(['line sends', 'hasVideo true', 'videoEnabled quality']);
  expect(fallback.isActive).toBe(false);
});

test('a new transport is silent as well', async () => {
  fallback.begin();
  bps = 30_000;
  await pass(14);
  log.length = 0;
  lines = linesCalled('new line');
  await pass(2);
  expect(log).toEqual(['new line is silent']);
});

test('nothing is watched unless the application asked for it', async () => {
  fallback = make(false);
  fallback.begin();
  bps = 30_000;
  await pass(60);
  expect(log).toEqual([]);
});

test('video that the application does not send is not judged', async () => {
  fallback.begin();
  sendsVideo = false;
  bps = 30_000;
  await pass(60);
  expect(log).toEqual([]);
});

test('the end of the stream ends the watching, and the next begins with video', async () => {
  fallback.begin();
  bps = 30_000;
  await pass(14);
  fallback.end();
  expect(fallback.isActive).toBe(false);
  log.length = 0;
  await pass(60);
  expect(log).toEqual([]);
});
