/** Lets the browser wait for repeats of lost packets, by what its statistics say (`core/playout.ts` judges). */
import { judgePlayout, NEW_PLAYOUT, type PlayoutState } from '../core/index.ts';

/** What is used of an `RTCInboundRtpStreamStats`, and the round trip of a pair of addresses. */
interface Entry {
  readonly type: string;
  readonly timestamp?: number;
  readonly kind?: string;
  readonly mid?: string;
  readonly packetsReceived?: number;
  readonly nackCount?: number;
  /** Of a pair of addresses: in seconds. */
  readonly nominated?: boolean;
  readonly currentRoundTripTime?: number;
}

/** What is used of an RTCRtpReceiver; older browsers have no such property. */
interface Waiting {
  jitterBufferTarget?: number | null;
}

/** The lines of one stream: they wait equally long, so that lips and voice stay together. */
export interface PlayoutPair {
  readonly audio: { readonly receiver: Waiting };
  readonly video: { readonly mid: string | null; readonly receiver: Waiting };
}

/** How long the streams of one peer wait. */
export class PlayoutDelays {
  private readonly states = new Map<string, PlayoutState>();

  /** Statistics were read. */
  note(report: { forEach(see: (entry: Entry) => void): void }, pairs: readonly PlayoutPair[]): void {
    let roundTripMs = 0;
    const lines: Entry[] = [];
    report.forEach((entry) => {
      if (entry.type === 'inbound-rtp' && entry.kind === 'video') lines.push(entry);
      else if (entry.type === 'candidate-pair' && entry.nominated === true)
        roundTripMs = Math.max(roundTripMs, 1000 * (entry.currentRoundTripTime ?? 0));
    });
    for (const { mid, timestamp, packetsReceived, nackCount } of lines) {
      const pair = pairs.find(({ video }) => mid !== undefined && video.mid === mid);
      if (pair === undefined || mid === undefined || timestamp === undefined) continue;
      const former = this.states.get(mid) ?? NEW_PLAYOUT;
      const sample = { at: timestamp, packets: packetsReceived ?? 0, requests: nackCount ?? 0 };
      const state = judgePlayout(former, sample, roundTripMs);
      this.states.set(mid, state);
      if (state.targetMs === former.targetMs) continue;
      for (const { receiver } of [pair.audio, pair.video])
        if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = state.targetMs;
    }
  }
}
