/**
 * When a publisher leaves its video out, so that its sound gets through a narrow network. Pure.
 *
 *     sending --poor--> warned --bad for a while--> stopped --pause over--> trying --not bad--> sending
 *                 <--good--                              <--bad, the next pause is longer--
 *
 * OpenTok does not publish its thresholds: all figures are our own choice.
 */

/** What was sent so far, and what the browser believes that the network bears. */
export interface SendSample {
  /** Milliseconds on a clock that never goes back. */
  readonly at: number;
  /** Bits per second for everything that is sent; null where the browser does not say. */
  readonly availableBps: number | null;
  /** What of that the sound takes, with everything around it. */
  readonly soundBps: number;
  /** Packets, of sound and pictures, as reported by the receiver; they only grow. */
  readonly lost: number;
  readonly sent: number;
}

export type FallbackPhase = 'sending' | 'warned' | 'stopped' | 'trying';

export interface FallbackState {
  readonly phase: FallbackPhase;
  /** Since when the network has been judged as it is now. */
  readonly since: number;
  readonly network: Network;
  /** When the phase began. */
  readonly begun: number;
  /** How long the next stop lasts at least. */
  readonly pauseMs: number;
  readonly before: SendSample | null;
}

/** `warning`, `lifted`, `disabled`, `enabled` are told; `try` sends pictures that nobody is told of, `stop` ends that. */
export type FallbackChange = 'warning' | 'lifted' | 'disabled' | 'enabled' | 'try' | 'stop';

type Network = 'good' | 'poor' | 'bad';

/**
 * Bits per second that are left for pictures: below the first figure they are not worth sending, and Chromium's estimate, which
 * never falls below the least that its encoders make (30 kbit/s), comes under it; below the second a warning is due.
 */
const BAD_BPS = 35_000;
const POOR_BPS = 90_000;
/** Shares of packets that are lost. */
const BAD_LOSS = 0.25;
const POOR_LOSS = 0.12;
/** How long the network must be so before something is done about it. */
const WARN_AFTER_MS = 2_000;
const STOP_AFTER_MS = 6_000;
const LIFT_AFTER_MS = 5_000;
/** How long pictures are tried before that is believed: the browser's estimate must have time to grow. */
const TRIAL_MS = 8_000;
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 80_000;

export const SENDING: FallbackState = {
  phase: 'sending',
  since: 0,
  network: 'good',
  begun: 0,
  pauseMs: FIRST_PAUSE_MS,
  before: null,
};

/** What follows from one more sample. The first only begins. */
export function judgeSending(
  state: FallbackState,
  sample: SendSample,
): { readonly state: FallbackState; readonly change: FallbackChange | null } {
  if (state.before === null) return { state: { ...state, before: sample, since: sample.at }, change: null };
  const network = judge(state.before, sample, state.phase);
  const judged = {
    ...state,
    before: sample,
    network,
    since: network === state.network ? state.since : sample.at,
  };
  return decide(judged, sample.at);
}

function decide(state: FallbackState, now: number): ReturnType<typeof judgeSending> {
  const lasting = now - state.since;
  const inPhase = now - state.begun;
  const go = (phase: FallbackPhase, change: FallbackChange, pauseMs = state.pauseMs) => ({
    state: { ...state, phase, begun: now, pauseMs },
    change,
  });
  switch (state.phase) {
    case 'sending':
      if (state.network !== 'good' && lasting >= WARN_AFTER_MS) return go('warned', 'warning');
      break;
    case 'warned':
      if (state.network === 'bad' && lasting >= STOP_AFTER_MS) return go('stopped', 'disabled');
      if (state.network === 'good' && lasting >= LIFT_AFTER_MS) return go('sending', 'lifted', FIRST_PAUSE_MS);
      break;
    case 'stopped':
      if (state.network !== 'bad' && inPhase >= state.pauseMs) return go('trying', 'try');
      break;
    case 'trying':
      if (inPhase < TRIAL_MS) break;
      if (state.network === 'bad') return go('stopped', 'stop', Math.min(LONGEST_PAUSE_MS, state.pauseMs * 2));
      return go('sending', 'enabled');
  }
  return { state, change: null };
}

/** Without pictures the browser's estimate has nothing to grow on: then the loss of sound alone counts. */
function judge(before: SendSample, now: SendSample, phase: FallbackPhase): Network {
  const sent = now.sent - before.sent;
  const lost = Math.max(0, now.lost - before.lost);
  const loss = sent > 0 ? lost / (sent + lost) : 0;
  const left = phase === 'stopped' || now.availableBps === null ? Infinity : now.availableBps - now.soundBps;
  if (loss > BAD_LOSS || left < BAD_BPS) return 'bad';
  return loss > POOR_LOSS || left < POOR_BPS ? 'poor' : 'good';
}
