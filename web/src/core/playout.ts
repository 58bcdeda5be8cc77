/**
 * How long a stream's media waits before it is played, so that repeats of lost packets come in time; every rule about that is
 * here.
 *
 * By itself a browser waits as long as packets are uneven, which is not for a repeat of a repeat: where a tenth of the packets is
 * lost, a picture then stands still every few seconds. Where little is lost nothing waits.
 */

/** What a line's statistics say at one moment. */
export interface ReceivedSample {
  /** Milliseconds on any clock. */
  readonly at: number;
  readonly packets: number;
  /** Requests for lost packets. */
  readonly requests: number;
}

export interface PlayoutState {
  /** The newest last. */
  readonly samples: readonly ReceivedSample[];
  /** Milliseconds; null leaves it to the browser. */
  readonly targetMs: number | null;
  /** Until when it does not get less, in ms on the clock of the samples. */
  readonly heldUntil: number;
}

export const NEW_PLAYOUT: PlayoutState = { samples: [], targetMs: null, heldUntil: 0 };

/** Losses of this time count. */
const WINDOW_MS = 4_000;
/** A single hole is no bad network. */
const LEAST_REQUESTS = 3;
/** Requests for each packet that came, and the round trips that repeats are waited for from there on. */
const LEVELS = [
  { share: 0.12, roundTrips: 5 },
  { share: 0.02, roundTrips: 3 },
] as const;
/** Until a hole is noticed, at the publisher and here, and half of what packets are uneven by. */
const NOTICE_MS = 120;
const LEAST_MS = 200;
/** A conversation bears no more. */
const MOST_MS = 500;
/** Losses come in spells; to wait now longer, now shorter, is worse than either. */
const HOLD_MS = 10_000;

/** The state after `sample`; `roundTripMs` is that to the server, 0 if it is not known. */
export function judgePlayout(state: PlayoutState, sample: ReceivedSample, roundTripMs: number): PlayoutState {
  const last = state.samples.at(-1);
  // Another browser line, or counters that begin anew.
  if (last !== undefined && (sample.packets < last.packets || sample.requests < last.requests)) return NEW_PLAYOUT;
  const samples = [...state.samples.filter(({ at }) => at >= sample.at - WINDOW_MS), sample];
  const first = samples[0] ?? sample;
  const [packets, requests] = [sample.packets - first.packets, sample.requests - first.requests];
  const level = LEVELS.find(({ share }) => requests >= LEAST_REQUESTS && requests >= share * packets);
  const wanted =
    level === undefined ? null : Math.min(MOST_MS, Math.max(LEAST_MS, NOTICE_MS + level.roundTrips * roundTripMs));
  const isLess = (wanted ?? 0) < (state.targetMs ?? 0);
  if (isLess && sample.at < state.heldUntil) return { ...state, samples };
  // What changes by little is left as it is: each change moves the picture.
  const isNear = wanted !== null && state.targetMs !== null && Math.abs(wanted - state.targetMs) < 50;
  return {
    samples,
    targetMs: isNear ? state.targetMs : wanted,
    heldUntil: wanted === null ? state.heldUntil : sample.at + HOLD_MS,
  };
}
