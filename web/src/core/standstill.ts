/**
 * Whether the video of a line stands still although its packets come, so that its publisher is to be asked for a key frame; every
 * rule about that is here.
 *
 * Browsers ask by themselves when they miss something. What is noticed here is that it did not help: their request, the one
 * of the router, or the key frame was lost, or the decoder gave up.
 */

/** What a line's statistics say at one moment. */
export interface DecodedSample {
  /** Milliseconds on any clock. */
  readonly at: number;
  readonly packets: number;
  /** Frames decoded. */
  readonly frames: number;
}

export interface StandstillState {
  /** What came up to the last frame, and when that, or a key frame, was waited for first. */
  readonly since: DecodedSample;
  /** How long it is waited for, in ms. */
  readonly patienceMs: number;
}

/** Longer than a key frame takes that is asked for twice: chosen by judgement. */
const STANDSTILL_MS = 2_000;
/** Who never decodes anything, for want of a key or a decoder, asks more and more seldom. */
const MOST_PATIENCE_MS = 60_000;
/** A small frame has one; fewer may be the last of a video that was turned off. */
const LEAST_PACKETS = 4;

/** The state after `sample`, and whether a key frame is to be asked for now; null is the state before the first sample. */
export function judgeStandstill(
  state: StandstillState | null,
  sample: DecodedSample,
): { readonly state: StandstillState; readonly asks: boolean } {
  const since = state?.since;
  // Something was decoded, nothing comes, or counters begin anew.
  if (state === null || since === undefined || sample.frames !== since.frames || sample.packets < since.packets)
    return { state: { since: sample, patienceMs: STANDSTILL_MS }, asks: false };
  const packets = sample.packets - since.packets;
  if (packets === 0) return { state: { ...state, since: sample }, asks: false };
  if (sample.at - since.at < state.patienceMs || packets < LEAST_PACKETS) return { state, asks: false };
  const patienceMs = Math.min(MOST_PATIENCE_MS, 2 * state.patienceMs);
  return { state: { since: sample, patienceMs }, asks: true };
}
