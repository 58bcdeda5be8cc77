/** Reads what browsers say in `getStats()` (W3C webrtc-stats), where they differ in what they give. */
import type { PathSample } from '../core/index.ts';

/** What is used of an `RTCIceCandidatePairStats`, and of an `RTCTransportStats` its first field. */
interface Entry {
  readonly id: string;
  readonly type: string;
  readonly selectedCandidatePairId?: string;
  /** Firefox's own way of saying which pair is in use. */
  readonly selected?: boolean;
  readonly bytesReceived?: number;
  readonly requestsSent?: number;
  readonly responsesReceived?: number;
  /** In seconds. */
  readonly currentRoundTripTime?: number;
}

/** A sample of the pair of addresses that is in use; null while there is none. */
export function pathSample(report: { forEach(see: (entry: Entry) => void): void }): PathSample | null {
  const pairs: Entry[] = [];
  let chosen: string | undefined;
  report.forEach((entry) => {
    if (entry.type === 'candidate-pair') pairs.push(entry);
    else if (entry.type === 'transport') chosen = entry.selectedCandidatePairId;
  });
  const pair = pairs.find(({ id, selected }) => (chosen === undefined ? selected === true : id === chosen));
  if (pair === undefined) return null;
  const { requestsSent, responsesReceived } = pair;
  return {
    pair: pair.id,
    bytesReceived: pair.bytesReceived ?? 0,
    checks:
      requestsSent === undefined || responsesReceived === undefined
        ? null
        : { sent: requestsSent, answered: responsesReceived, roundTripMs: 1000 * (pair.currentRoundTripTime ?? 0) },
  };
}
