import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Namespace } from './api/index.ts';
import { FakeWorld, stubMedia } from './testing/index.ts';

const world = vi.hoisted(() => ({ current: null as unknown }));
vi.mock('./engine/world.ts', () => ({
  get browserWorld() {
    return world.current;
  },
}));

declare const window: { OT?: Namespace; TB?: Namespace } & EventTarget;

beforeEach(() => {
  vi.resetModules();
  stubMedia();
  world.current = new FakeWorld();
});
afterEach(() => {
  delete window.OT;
  delete window.TB;
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** Loads the script as a script tag with that address would. */
async function load(src: string): Promise<Namespace> {
  const script = document.createElement('script');
  Object.defineProperty(script, 'src', { value: src });
  Object.defineProperty(document, 'currentScript', { configurable: true, value: script });
  await import('./index.ts');
  const { OT } = window;
  if (OT === undefined) throw new Error('the script defined no OT');
  return OT;
}

describe('the script', () => {
  test('defines OT and TB as the same object', async () => {
    expect(await load('https://media.example.org/v2/js/opentok.min.js')).toBe(window.TB);
  });

  test.each([
    ['https://media.example.org/v1.1/js/TB.min.js', true],
    ['https://media.example.org/webrtc/v2.2/js/TB.min.js', false],
  ])('at %s has the era of its address', async (src, firstEra) => {
    expect('SESSION_CONNECTED' in (await load(src))).toBe(firstEra);
  });

  test('speaks to the server that it came from, and takes the API key from its address', async () => {
    const OT = await load('http://localhost:8080/v2/js/opentok.js?apikey=777');
    expect(OT.APIKEY).toBe('777');
    OT.initSession('777', '2_s').connect('token');
    expect((world.current as FakeWorld).socket.url).toBe('ws://localhost:8080/signalling');
  });

  test.each(['/v1.1/js/TB.min.js', '/v2/js/opentok.js'])('changes nothing when %s is loaded again', async (path) => {
    const first = await load(`http://localhost${path}`);
    vi.resetModules();
    await load(`http://localhost${path}?apikey=9`);
    expect([window.OT, window.TB]).toEqual([first, first]);
  });

  test.each([
    ['/v1.1/js/TB.min.js', '/v2/js/opentok.js'],
    ['/v2/js/opentok.js', '/v0.91/js/TB.min.js'],
  ])('of %s and that of %s have a name each', async (first, second) => {
    await load(`http://localhost${first}`);
    vi.resetModules();
    await load(`http://localhost${second}`);
    expect('SESSION_CONNECTED' in (window.TB ?? {})).toBe(true);
    expect('SESSION_CONNECTED' in (window.OT ?? {})).toBe(false);
  });

  test("leaves a page's own TB alone, and is no element of that name", async () => {
    const own = { own: true };
    Object.assign(window, { TB: own });
    await load('http://localhost/v2/js/opentok.js');
    expect(window.TB).toBe(own);
  });

  test('says goodbye when the page goes away', async () => {
    const OT = await load('http://localhost:8080/v2/js/opentok.js');
    OT.initSession('777', '2_s').connect('token');
    const { socket } = world.current as FakeWorld;
    socket.open();
    window.dispatchEvent(new Event('pagehide'));
    expect(socket.sent.map(([, , { type }]) => type)).toEqual(['join', 'leave']);
    expect(socket.closedWith).toBe(1000);
  });
});
