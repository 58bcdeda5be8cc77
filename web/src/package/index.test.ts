import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Session } from '../api/session.ts';
import { FakeWorld, stubMedia } from '../testing/index.ts';

const world = vi.hoisted(() => ({ current: null as unknown }));
vi.mock('../engine/world.ts', () => ({
  get browserWorld() {
    return world.current;
  },
}));

beforeEach(() => {
  vi.resetModules();
  stubMedia();
  world.current = new FakeWorld();
});
afterEach(() => {
  vi.unstubAllGlobals();
  document.head.innerHTML = '';
});

test('the module exports the object of the second era, and defines no global', async () => {
  const { default: OT } = await import('./index.ts');
  expect(OT.initSession('1', '2_s')).toBe(OT.sessions.find());
  expect('SESSION_CONNECTED' in OT).toBe(false);
  expect('OT' in window).toBe(false);
});

test('every member of the object is a name of the module, and works by itself', async () => {
  const { default: OT, ...names } = await import('./index.ts');
  const members = Object.keys(OT).filter((name) => !name.startsWith('_') && !OWN.has(name));
  expect(Object.keys(names).sort()).toEqual(members.sort());
  for (const name of members) expect(names[name as keyof typeof names], name).toBe(OT[name as keyof typeof OT]);
  const { initSession, on } = names;
  expect(initSession('1', '2_s').sessionId).toBe('2_s');
  expect(on('exception', () => undefined)).toBe(OT);
});

test('CommonJS gets the object itself, which compiled imports take for a module', async () => {
  const { default: OT } = await import('./commonjs.ts');
  const { OT: object } = await import('./opentok.ts');
  expect(OT).toBe(object);
  expect(Reflect.get(OT, 'default')).toBe(OT);
  expect(Reflect.get(OT, '__esModule')).toBe(true);
});

test.each([
  ['setServerUrl', 'https://a.example/video', 'wss://a.example/video/signalling'],
  ['setServerUrl', 'http://localhost:8080/', 'ws://localhost:8080/signalling'],
  ['meta', 'https://b.example', 'wss://b.example/signalling'],
])('the server is said by %s: %s', async (way, url, expected) => {
  const { default: OT } = await import('./index.ts');
  if (way === 'setServerUrl') OT.setServerUrl(url);
  else document.head.innerHTML = `<meta name="tertulia-server" content="${url}">`;
  OT.initSession('1', '2_s').connect('token');
  expect((world.current as FakeWorld).socket.url).toBe(expected);
});

test('without a server, connecting fails and says what to do', async () => {
  const { default: OT } = await import('./index.ts');
  const session = OT.initSession('1', '2_s') as unknown as Session;
  await expect(session.connect.promise('token')).rejects.toThrow(/setServerUrl.*tertulia-server/);
});

test('the module can be loaded where there is no page', async () => {
  vi.stubGlobal('window', undefined);
  vi.stubGlobal('document', undefined);
  const { default: OT } = await import('./index.ts');
  expect(OT.checkSystemRequirements()).toBeTypeOf('number');
});

/** Members that are for the object alone: how it is made, and what the first era had. */
const OWN = new Set(['page', 'APIKEY', 'listenersChanged', 'initPublisherBy', 'onLoad', 'updateSystemRequirements']);
