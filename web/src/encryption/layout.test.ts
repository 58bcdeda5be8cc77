import { describe, expect, test } from 'vitest';
import { unwrap, wrap, type Sealed } from './layout.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const bytes = (...values: number[]): Bytes => Uint8Array.from(values);
const joined = (...pieces: Bytes[]): Bytes => bytes(...pieces.flatMap((piece) => [...piece]));

/** Ciphertext that holds every sequence which looks like a start code. */
const AWKWARD = joined(bytes(0, 0, 1, 0, 0, 0, 1, 0, 0, 3, 0, 0, 2, 0, 0, 0, 0, 0), new Uint8Array(40));
const sealed: Sealed = {
  ciphertext: AWKWARD,
  iv: bytes(0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 0),
  keyId: bytes(0, 0, 1, 9),
};
const VP8_KEY = joined(bytes(0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00), new Uint8Array(30).fill(7));
const VP8_DELTA = joined(bytes(0x31), new Uint8Array(30).fill(7));
const VP9 = joined(bytes(0x82), new Uint8Array(30).fill(7));
const [SPS, PPS] = [bytes(0x67, 0x42, 0xc0, 0x1f), bytes(0x68, 0xce, 0x3c)];
const SLICE = joined(bytes(0x65, 0xb8, 0x00, 0x04, 0x11), new Uint8Array(20).fill(7));
const LONG = bytes(0, 0, 0, 1);
const SHORT = bytes(0, 0, 1);
const H264 = joined(LONG, SPS, LONG, PPS, LONG, SLICE);

function made(medium: 'audio' | 'video', frame: Bytes): Bytes {
  const whole = wrap(medium, frame, sealed);
  if (whole === null) throw new Error('nothing was made');
  return whole;
}

describe('what the network must read stays at the beginning', () => {
  test.each([
    ['10 bytes of a VP8 key frame', VP8_KEY, 10],
    ['1 byte of another VP8 frame', VP8_DELTA, 1],
    ['1 byte of a VP9 frame', VP9, 1],
  ] as const)('%s', (_name, frame, length) => {
    const whole = made('video', frame);
    expect(whole.subarray(0, length)).toEqual(frame.subarray(0, length));
    expect(whole.subarray(length, length + AWKWARD.length)).toEqual(AWKWARD);
    expect(unwrap('video', whole)).toEqual(sealed);
  });

  test('nothing of a sound', () => {
    const whole = made('audio', bytes(0x78, 1, 2, 3));
    expect(whole.subarray(0, AWKWARD.length)).toEqual(AWKWARD);
    expect(unwrap('audio', whole)).toEqual(sealed);
  });

  test('H.264: parameter sets, and the beginning of the slice', () => {
    const whole = made('video', H264);
    const copied = joined(LONG, SPS, LONG, PPS, LONG, SLICE.subarray(0, 5));
    expect(whole.subarray(0, copied.length)).toEqual(copied);
    expect(unwrap('video', whole)).toEqual(sealed);
  });
});

describe('H.264 on its way', () => {
  const text = (frame: Bytes): string => [...frame].map((byte) => String.fromCharCode(byte)).join('');

  test('has no start code after the slice began, whatever the ciphertext is', () => {
    const whole = made('video', H264);
    const body = text(whole.subarray(joined(LONG, SPS, LONG, PPS, LONG).length));
    for (const code of ['\0\0\0', '\0\0\x01', '\0\0\x02']) expect(body).not.toContain(code);
    expect(whole.at(-1)).not.toBe(0);
  });

  test('may get other start codes and other parameter sets', () => {
    const slice = made('video', joined(LONG, SLICE)).subarray(LONG.length);
    for (const arrived of [joined(SHORT, slice), joined(LONG, PPS, SHORT, bytes(0x67, 1, 2, 3, 4, 5), LONG, slice)])
      expect(unwrap('video', arrived)).toEqual(sealed);
  });

  test('a short slice is filled up', () => {
    expect(unwrap('video', made('video', joined(SHORT, bytes(0x41, 0xe0))))).toEqual(sealed);
  });

  test('a frame without a picture is not sent', () => {
    expect(wrap('video', joined(LONG, SPS, LONG, PPS), sealed)).toBeNull();
  });
});

describe('what was never encrypted', () => {
  test.each([
    ['a VP8 frame', VP8_KEY],
    ['a VP9 frame', VP9],
    ['an H.264 frame', H264],
    ['parameter sets alone', joined(LONG, SPS)],
    ['nothing', bytes()],
    ['a start code', LONG],
    ['a length beyond the beginning', joined(new Uint8Array(20), bytes(200, 1))],
  ] as const)('is none of ours: %s', (_name, frame) => {
    expect(unwrap('video', frame)).toBeNull();
  });

  test('random bytes break nothing', () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    let state = seed;
    const next = (): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31);
    for (let round = 0; round < 2_000; round += 1) {
      const frame = Uint8Array.from({ length: next() % 80 }, () => (next() >> 8) % (round % 2 === 0 ? 256 : 4));
      for (const medium of ['audio', 'video'] as const) {
        const found = unwrap(medium, frame);
        expect(found === null || found.iv.length === 12, `seed ${seed}`).toBe(true);
      }
    }
  });
});
