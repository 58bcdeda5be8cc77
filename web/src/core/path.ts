/**
 * Whether media still passes between a peer and the server, judged from its statistics; every rule about that is here.
 *
 * The browser says so by itself after five seconds and more. Two signs come earlier: an even flow of packets that stops, and
 * connectivity checks (RFC 7675) that are not answered.
 */

export interface Checks {
  readonly sent: number;
  readonly answered: number;
  /** How long the last answer took; 0 before the first. */
  readonly roundTripMs: number;
}

/** What a peer's statistics say of its path at one moment. */
export interface PathSample {
  /** Names the pair of addresses in use; the counters are those of the pair. */
  readonly pair: string;
  /** RTP and RTCP. */
  readonly bytesReceived: number;
  /** Connectivity checks; null where the browser does not count them. */
  readonly checks: Checks | null;
}

/**
 * `quiet`: what came evenly has stopped, which may be the other side's doing. `dead`: nothing passes that would have to.
 */
export type PathHealth = 'alive' | 'quiet' | 'dead';

export interface PathState {
  readonly last: PathSample | null;
  /** When something was last seen to come, in ms. */
  readonly heardAt: number;
  /** Samples in a row in which something came, up to the last sign of life. */
  readonly steady: number;
  /** When a check was first seen that has no answer yet, in ms; null if there is none. */
  readonly uncheckedSince: number | null;
  readonly health: PathHealth;
}

/** How often a sample is to be taken. */
export const SAMPLE_MS = 500;
/** So many samples in a row with traffic make a flow whose end means something. */
const STEADY_SAMPLES = 3;
/** A flow that was silent in two samples has stopped: chosen by judgement, 50 times the distance of audio packets. */
const QUIET_MS = 900;
/** A check that is unanswered after this, and after two round trips, is a sign. */
const CHECK_MS = 450;
/** Without counted checks only a silence longer than every browser's distance of checks is a sign. */
const SILENCE_MS = 7_000;

export const NEW_PATH: PathState = { last: null, heardAt: 0, steady: 0, uncheckedSince: null, health: 'alive' };

/**
 * The state after `sample`, taken at `now` (ms). `reported` says that the server owes us reports, because we send media: then
 * the end of an even flow is proof.
 */
export function judgePath(state: PathState, sample: PathSample, reported: boolean, now: number): PathState {
  const { last } = state;
  if (last?.pair !== sample.pair) return { ...NEW_PATH, last: sample, heardAt: now };
  const flows = sample.bytesReceived > last.bytesReceived;
  const answered = sample.checks !== null && last.checks !== null && sample.checks.answered > last.checks.answered;
  if (flows || answered) {
    const steady = flows ? state.steady + 1 : 0;
    return { last: sample, heardAt: now, steady, uncheckedSince: null, health: 'alive' };
  }
  const asked = sample.checks !== null && last.checks !== null && sample.checks.sent > last.checks.sent;
  const uncheckedSince = state.uncheckedSince ?? (asked ? now : null);
  const silence = now - state.heardAt;
  const stopped = state.steady >= STEADY_SAMPLES && silence >= QUIET_MS;
  const isDead =
    (stopped && reported) ||
    (uncheckedSince !== null && now - uncheckedSince >= Math.max(CHECK_MS, 2 * (sample.checks?.roundTripMs ?? 0))) ||
    (sample.checks === null && silence >= SILENCE_MS);
  const health = isDead ? 'dead' : stopped ? 'quiet' : 'alive';
  return { last: sample, heardAt: state.heardAt, steady: state.steady, uncheckedSince, health };
}
