/**
 * What an encrypted frame looks like. Pure.
 *
 *     copy of the clear header | ciphertext and tag | initial vector (12) | key id (4) | length of the copy (1) | version (1)
 *
 * The whole frame is encrypted. The copy before it is there for what stands between two clients and must read the beginning
 * of a frame: the browser's packetisers, the router's search for key frames. A receiver takes nothing from it.
 *
 * VP8: 10 bytes of a key frame (RFC 6386 section 9.1), 1 byte of any other. VP9: 1 byte, as its payload descriptor says the
 * rest. Opus: nothing. H.264 is cut into packets at its start codes, so that there all of this is one NAL unit: parameter
 * sets and the beginning of the first slice in the clear, then everything else with emulation prevention (H.264 section
 * 7.4.1). Start codes may have another length on arrival, and other parameter sets, so that the copy has no length there.
 */

export type Medium = 'audio' | 'video';

export const IV_BYTES = 12;
export const KEY_ID_BYTES = 4;
export const VERSION = 1;

/** The parts that decryption needs. */
export interface Sealed {
  readonly ciphertext: Uint8Array<ArrayBuffer>;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly keyId: Uint8Array<ArrayBuffer>;
}

type Bytes = Uint8Array<ArrayBuffer>;

const TRAILER_BYTES = IV_BYTES + KEY_ID_BYTES + 2;
const TAG_BYTES = 16;
const VP8_KEY_FRAME_BYTES = 10;
const START_CODE = Uint8Array.of(0, 0, 0, 1);
/** Types of NAL units (H.264 table 7-1). */
const SLICE = 1;
const IDR_SLICE = 5;
const PARAMETER_SETS = [7, 8];
/** NAL header, and the slice header as far as the number of its picture parameter set (H.264 section 7.3.3). */
const SLICE_COPY_BYTES = 5;
/** Stands between the copy of a slice and what is escaped, so that no start code can arise there. */
const BORDER = 0x80;

/** What is authenticated beside the frame. */
export function associatedData(medium: Medium): Bytes {
  return Uint8Array.of(VERSION, medium === 'audio' ? 0 : 1);
}

/** The encrypted frame of `frame`; null for an H.264 frame without a picture, which nobody needs. */
export function wrap(medium: Medium, frame: Bytes, { ciphertext, iv, keyId }: Sealed): Bytes | null {
  if (medium === 'video' && beginsWithStartCode(frame)) {
    const copy = sliceCopy(frame);
    if (copy === null) return null;
    const hidden = joined(ciphertext, iv, keyId, Uint8Array.of(0, VERSION));
    return joined(copy, Uint8Array.of(BORDER), escaped(hidden));
  }
  const copy = frame.subarray(0, medium === 'audio' ? 0 : isVp8KeyFrame(frame) ? VP8_KEY_FRAME_BYTES : 1);
  return joined(copy, ciphertext, iv, keyId, Uint8Array.of(copy.length, VERSION));
}

/** The parts of an encrypted frame; null for what is none. */
export function unwrap(medium: Medium, received: Bytes): Sealed | null {
  if (medium === 'video' && beginsWithStartCode(received)) {
    const slice = firstSlice(received);
    return slice === null ? null : parts(unescaped(slice.subarray(SLICE_COPY_BYTES + 1)));
  }
  return parts(received);
}

function parts(whole: Bytes): Sealed | null {
  const trailer = whole.length - TRAILER_BYTES;
  const copied = whole[whole.length - 2] ?? 0;
  if (trailer < copied + TAG_BYTES || whole[whole.length - 1] !== VERSION) return null;
  return {
    ciphertext: whole.subarray(copied, trailer),
    iv: whole.subarray(trailer, trailer + IV_BYTES),
    keyId: whole.subarray(trailer + IV_BYTES, trailer + IV_BYTES + KEY_ID_BYTES),
  };
}

/** RFC 6386 section 9.1: the lowest bit is 0, and the start code of a key frame follows the frame tag. */
function isVp8KeyFrame(frame: Bytes): boolean {
  return (
    frame.length >= VP8_KEY_FRAME_BYTES &&
    ((frame[0] ?? 1) & 1) === 0 &&
    frame[3] === 0x9d &&
    frame[4] === 0x01 &&
    frame[5] === 0x2a
  );
}

/** Neither VP8 nor VP9 frames begin with two zeros: a VP8 key frame has a first partition, a VP9 frame its marker. */
function beginsWithStartCode(frame: Bytes): boolean {
  return frame[0] === 0 && frame[1] === 0 && (frame[2] === 1 || (frame[2] === 0 && frame[3] === 1));
}

function sliceCopy(frame: Bytes): Bytes | null {
  const copy: Bytes[] = [];
  for (const unit of units(frame)) {
    const type = typeOf(unit);
    if (type === SLICE || type === IDR_SLICE) {
      const beginning = new Uint8Array(SLICE_COPY_BYTES).fill(BORDER);
      beginning.set(unit.subarray(0, SLICE_COPY_BYTES));
      return joined(...copy, START_CODE, beginning);
    }
    if (PARAMETER_SETS.includes(type)) copy.push(START_CODE, unit);
  }
  return null;
}

function firstSlice(received: Bytes): Bytes | null {
  for (const unit of units(received)) if ([SLICE, IDR_SLICE].includes(typeOf(unit))) return unit;
  return null;
}

function typeOf(unit: Bytes): number {
  return (unit[0] ?? 0) & 0x1f;
}

/** The NAL units between start codes of three or four bytes (H.264 annex B). */
function* units(frame: Bytes): Generator<Bytes> {
  let begin = -1;
  for (let at = 0; at + 2 < frame.length; at += 1) {
    if (frame[at] !== 0 || frame[at + 1] !== 0 || frame[at + 2] !== 1) continue;
    if (begin >= 0) yield frame.subarray(begin, frame[at - 1] === 0 ? at - 1 : at);
    begin = at + 3;
    at += 2;
  }
  if (begin >= 0 && begin < frame.length) yield frame.subarray(begin);
}

/** With a 3 before each byte that would make a start code of two zeros. */
function escaped(bytes: Bytes): Bytes {
  const out = new Uint8Array(Math.ceil(bytes.length * 1.5));
  let [length, zeros] = [0, 0];
  for (const byte of bytes) {
    if (zeros >= 2 && byte <= 3) {
      out[length++] = 3;
      zeros = 0;
    }
    out[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return out.subarray(0, length);
}

function unescaped(bytes: Bytes): Bytes {
  const out = new Uint8Array(bytes.length);
  let [length, zeros] = [0, 0];
  for (const byte of bytes) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    out[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return out.subarray(0, length);
}

function joined(...pieces: readonly Bytes[]): Bytes {
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
