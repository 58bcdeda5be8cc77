import { afterEach, expect, test, vi } from 'vitest';
import { FakePage } from '../../testing/index.ts';
import { measureQuality } from './connection-quality.ts';
import { v1 } from '../index.ts';

const PROBE = new URL('https://media.test/client/probe');
const UNKNOWN = { downstreamBandwidth: null, upstreamBandwidth: null, latency: null };

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A server on a network of these times, in milliseconds on a clock of the test's. */
function stubNetwork(times: { readonly way: number; readonly down: number; readonly up: number }): void {
  let now = 0;
  vi.stubGlobal('performance', { now: () => now });
  vi.stubGlobal('fetch', (_url: unknown, { body }: RequestInit): Promise<Response> => {
    const size = body === null ? 0 : (body as ArrayBuffer).byteLength;
    now += times.way + (body === null ? times.down : size === 0 ? 0 : times.up);
    return Promise.resolve(new Response('x'));
  });
}

test('both directions are told apart, without the time of the way', async () => {
  stubNetwork({ way: 40, down: 65.536, up: 655.36 });
  expect(await measureQuality(PROBE)).toEqual({ downstreamBandwidth: 8000, upstreamBandwidth: 800, latency: 40 });
});

test('what cannot be measured is null, and no mistake', async () => {
  expect(await measureQuality(null)).toEqual(UNKNOWN);
  vi.stubGlobal('fetch', () => Promise.reject(new Error('away')));
  expect(await measureQuality(PROBE)).toEqual(UNKNOWN);
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('{}', { status: 429 })));
  expect(await measureQuality(PROBE)).toEqual(UNKNOWN);
});

test('it stands in the own connection when sessionConnected is told, however late it comes', async () => {
  let answer: () => void = () => undefined;
  vi.stubGlobal('fetch', () => new Promise((_resolve, reject) => (answer = () => reject(new Error('late')))));
  const page = new FakePage(v1);
  const seen: unknown[] = [];
  page.session.on('sessionConnected', () => seen.push(page.session.connection?.quality));
  page.session.connect('1234', 'token', { detectConnectionQuality: 1 });
  await page.calm();
  expect(seen).toEqual([]);
  answer();
  await page.calm();
  expect(seen).toEqual([UNKNOWN]);
  void page.session.disconnect();
  await page.calm();
  page.session.connect('1234', 'token');
  await page.calm();
  expect(seen).toEqual([UNKNOWN, null]);
});
