/** Finds videos that stand still, by what a browser's statistics say (`core/standstill.ts` judges). */
import { judgeStandstill, type StandstillState } from '../core/index.ts';

/** What is used of an `RTCInboundRtpStreamStats`. */
interface Entry {
  readonly type: string;
  readonly timestamp?: number;
  readonly kind?: string;
  readonly mid?: string;
  readonly packetsReceived?: number;
  readonly framesDecoded?: number;
}

/** The video lines of one peer. */
export class Standstills {
  private readonly states = new Map<string, StandstillState>();

  /** Statistics were read: returns the mids of those lines whose publisher is to be asked for a key frame. */
  note(report: { forEach(see: (entry: Entry) => void): void }): string[] {
    const found: string[] = [];
    report.forEach(({ type, kind, mid, timestamp, packetsReceived: packets, framesDecoded: frames }) => {
      if (type !== 'inbound-rtp' || kind !== 'video' || mid === undefined) return;
      if (timestamp === undefined || packets === undefined || frames === undefined) return;
      const { state, asks } = judgeStandstill(this.states.get(mid) ?? null, { at: timestamp, packets, frames });
      this.states.set(mid, state);
      if (asks) found.push(mid);
    });
    return found;
  }
}
