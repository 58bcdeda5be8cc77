import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { deriveKey, InitialVectors, type FrameKey } from './keys.ts';
import { unwrap, type Medium } from './layout.ts';
import { ReceivedLine, SentLine, type EncodedFrame } from './lines.ts';

let [ours, theirs]: FrameKey[] = [];
let key: FrameKey | null;
let told: string[];
let received: ReceivedLine;

async function keyOf(number: number): Promise<FrameKey> {
  const raw = new Uint8Array(32).fill(number);
  const imported = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);
  return { key: imported, id: new Uint8Array(4).fill(number) };
}

beforeAll(async () => {
  [ours, theirs] = await Promise.all([keyOf(1), keyOf(2)]);
});
beforeEach(() => {
  key = ours ?? null;
  told = [];
  received = new ReceivedLine(
    'video',
    () => key,
    (matches) => told.push(matches ? 'match' : 'mismatch'),
    () => told.push('key frame'),
  );
});

const frameOf = (...values: number[]): EncodedFrame => ({ data: Uint8Array.from(values).buffer });
const PLAIN = [0x31, 9, 8, 7, 6, 5, 4, 3, 2, 1];

async function encrypted(by: FrameKey | undefined, medium: Medium = 'video'): Promise<EncodedFrame> {
  const out: EncodedFrame[] = [];
  await new SentLine(medium, () => by ?? null).handle(frameOf(...PLAIN), (frame) => out.push(frame));
  const [frame] = out;
  if (frame === undefined) throw new Error('nothing was sent');
  return frame;
}

async function shown(frame: EncodedFrame): Promise<number[] | null> {
  let out: number[] | null = null;
  await received.handle(frame, ({ data }) => {
    out = [...new Uint8Array(data)];
  });
  return out;
}

test('what is sent is read again, and nothing of it is in the clear but its first byte', async () => {
  const frame = await encrypted(ours);
  const whole = [...new Uint8Array(frame.data)];
  expect(whole[0]).toBe(PLAIN[0]);
  expect(whole.join()).not.toContain(PLAIN.slice(1, 5).join());
  expect(await shown(frame)).toEqual(PLAIN);
  expect(told).toEqual(['match']);
});

test('without a key nothing is sent and nothing is judged', async () => {
  const out: EncodedFrame[] = [];
  await new SentLine('video', () => null).handle(frameOf(...PLAIN), (frame) => out.push(frame));
  expect(out).toEqual([]);
  const frame = await encrypted(ours);
  key = null;
  for (let count = 0; count < 5; count += 1) expect(await shown(frame)).toBeNull();
  expect(told).toEqual([]);
});

test('every frame has an initial vector of its own', async () => {
  const line = new SentLine('audio', () => ours ?? null);
  const seen = new Set<string>();
  for (let count = 0; count < 50; count += 1)
    await line.handle(frameOf(1, 2, 3), ({ data }) => seen.add(String(unwrap('audio', new Uint8Array(data))?.iv)));
  expect(seen.size).toBe(50);
  expect(new InitialVectors().next().subarray(0, 8)).not.toEqual(new InitialVectors().next().subarray(0, 8));
});

describe('frames of another secret', () => {
  test('are dropped, and told at the third in a row', async () => {
    for (let count = 0; count < 2; count += 1) expect(await shown(await encrypted(theirs))).toBeNull();
    expect(told).toEqual([]);
    for (let count = 0; count < 5; count += 1) await shown(await encrypted(theirs));
    expect(told).toEqual(['mismatch']);
  });

  test('end with a match, and a key frame is asked for', async () => {
    for (let count = 0; count < 3; count += 1) await shown(await encrypted(theirs));
    key = theirs ?? null;
    expect(await shown(await encrypted(theirs))).toEqual(PLAIN);
    expect(told).toEqual(['mismatch', 'key frame', 'match']);
  });

  test('are told anew when the line is judged again', async () => {
    for (let count = 0; count < 3; count += 1) await shown(await encrypted(theirs));
    received.judgeAgain();
    for (let count = 0; count < 3; count += 1) await shown(await encrypted(theirs));
    expect(told).toEqual(['mismatch', 'mismatch']);
  });
});

test.each([
  ['a bit was changed', (whole: Uint8Array) => (whole[3] = (whole[3] ?? 0) ^ 1)],
  ['the initial vector was changed', (whole: Uint8Array) => (whole[whole.length - 10] = (whole.at(-10) ?? 0) ^ 1)],
] as const)('a frame is dropped in which %s', async (_name, change) => {
  const frame = await encrypted(ours);
  change(new Uint8Array(frame.data));
  expect(await shown(frame)).toBeNull();
});

test('what comes in the clear is dropped', async () => {
  for (let count = 0; count < 3; count += 1) expect(await shown(frameOf(...PLAIN))).toBeNull();
  expect(told).toEqual(['mismatch']);
});

test('sound is not taken for a picture', async () => {
  expect(await shown(await encrypted(ours, 'audio'))).toBeNull();
});

test('a key follows from the secret and the session', async () => {
  const [one, same, otherSecret, otherSession] = await Promise.all([
    deriveKey('a secret', 's1'),
    deriveKey('a secret', 's1'),
    deriveKey('a Secret', 's1'),
    deriveKey('a secret', 's2'),
  ]);
  expect(one.id).toEqual(same.id);
  expect(one.id).not.toEqual(otherSecret.id);
  expect(one.id).not.toEqual(otherSession.id);
  [key] = [same];
  expect(await shown(await encrypted(one))).toEqual(PLAIN);
});
