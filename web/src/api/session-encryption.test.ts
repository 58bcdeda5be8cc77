import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { v2 } from '../eras/index.ts';
import { errorOf, FakePage } from '../testing/index.ts';
import type { FakeEncryptionWorker } from '../testing/fake-encryption-worker.ts';
import type { Session } from './session.ts';

const SECRET = 'a good secret';

beforeEach(() => {
  vi.stubGlobal('Worker', class {});
  vi.stubGlobal('RTCRtpScriptTransform', class {});
});
afterEach(() => {
  vi.unstubAllGlobals();
});

function encrypting(secret: unknown = SECRET): { page: FakePage; session: Session } {
  const page = new FakePage(v2);
  return { page, session: page.OT.initSession('1', 'of its own', { encryptionSecret: secret }) };
}

function workerOf(page: FakePage): FakeEncryptionWorker {
  const worker = page.world.workers.at(-1);
  if (worker === undefined) throw new Error('no worker was made');
  return worker;
}

test('the server is asked once the key is there, and is told that the client encrypts but not the secret', async () => {
  const { page, session } = encrypting();
  const connected = session.connect.promise('token');
  await page.calm();
  expect(page.world.sockets).toEqual([]);
  expect(workerOf(page).secrets).toEqual([SECRET]);
  workerOf(page).ready();
  await connected;
  expect(page.world.socket.of('join')).toMatchObject([{ encrypts: true }]);
  expect(JSON.stringify(page.world.socket.sent)).not.toContain(SECRET);
});

test('without a secret there is no worker, and nothing is said of encryption', async () => {
  const page = await new FakePage(v2).connected();
  expect(page.world.workers).toEqual([]);
  expect(page.world.socket.of('join')[0]).not.toHaveProperty('encrypts');
});

test.each([['short'], ['x'.repeat(257)], [12345678], [{}], ['']])('%j is no secret', async (secret) => {
  const { page, session } = encrypting(secret);
  page.log.length = 0;
  const error = await errorOf(session.connect.promise('token'));
  expect(error).toMatchObject({ name: 'OT_INVALID_ENCRYPTION_SECRET', code: 6004 });
  await page.calm();
  expect(page.log).toEqual(['exception 6004']);
  expect((await errorOf(page.session.setEncryptionSecret(secret))).name).toBe('OT_INVALID_ENCRYPTION_SECRET');
  expect(page.world.workers).toEqual([]);
});

test('a browser without encoded transforms fails with OT_NOT_SUPPORTED, and never sends in the clear', async () => {
  vi.stubGlobal('RTCRtpScriptTransform', undefined);
  const { page, session } = encrypting();
  expect(page.OT.hasEndToEndEncryptionSupport()).toBe(false);
  expect((await errorOf(session.connect.promise('token'))).name).toBe('OT_NOT_SUPPORTED');
  expect((await errorOf(page.session.setEncryptionSecret(SECRET))).name).toBe('OT_NOT_SUPPORTED');
  expect(page.world.sockets).toEqual([]);
});

test('a worker that does not start fails the connect, and the session can be tried again', async () => {
  const { page, session } = encrypting();
  const failed = errorOf(session.connect.promise('token'));
  await page.calm();
  workerOf(page).onerror?.(null);
  expect((await failed).name).toBe('OT_NOT_SUPPORTED');
  expect(workerOf(page).isEnded).toBe(true);
  page.OT.setEncryptionWorkerUrl('/encryption.js');
  const connected = session.connect.promise('token');
  await page.calm();
  expect(workerOf(page).address).toBe('/encryption.js');
  workerOf(page).ready();
  await connected;
  expect(session.isConnected()).toBe(true);
});

test('a worker that says nothing fails the connect after its deadline', async () => {
  const { page, session } = encrypting();
  const failed = errorOf(session.connect.promise('token'));
  await page.calm();
  page.world.pass(20_000);
  expect((await failed).name).toBe('OT_NOT_SUPPORTED');
});

test('leaving while the key is made asks nothing of the server and ends the worker', async () => {
  const { page, session } = encrypting();
  session.connect('token');
  await page.calm();
  const worker = workerOf(page);
  await session.disconnect();
  worker.ready();
  await page.calm();
  expect(worker.isEnded).toBe(true);
  expect(page.world.sockets).toEqual([]);
});

test('another secret goes to the same worker, which ends with the session', async () => {
  const { page, session } = encrypting();
  const connected = session.connect.promise('token');
  await page.calm();
  const worker = workerOf(page);
  worker.ready();
  await connected;
  const set = session.setEncryptionSecret('another secret');
  await page.calm();
  worker.ready();
  await set;
  expect(worker.secrets).toEqual([SECRET, 'another secret']);
  await session.disconnect();
  expect(worker.isEnded).toBe(true);
});

test('a secret in mid-call makes a new media connection', async () => {
  const page = await new FakePage(v2).connected();
  const before = page.world.peers.made.length;
  const set = page.session.setEncryptionSecret(SECRET);
  await page.calm();
  workerOf(page).ready();
  await set;
  expect(page.world.peers.made.length).toBe(before + 1);
});

test('a secret that is set before connecting is used', async () => {
  const page = new FakePage(v2);
  await page.session.setEncryptionSecret(SECRET);
  const connected = page.session.connect.promise('token');
  await page.calm();
  workerOf(page).ready();
  await connected;
  expect(page.world.socket.of('join')).toMatchObject([{ encrypts: true }]);
});
