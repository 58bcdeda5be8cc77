/** `connection.quality`: what the way to the server bears, measured while the client connects. */

/** Null where it could not be measured in time. */
export interface ConnectionQuality {
  /** Kilobits per second. */
  readonly downstreamBandwidth: number | null;
  /** Kilobits per second. */
  readonly upstreamBandwidth: number | null;
  /** Milliseconds to the server and back. */
  readonly latency: number | null;
}

/** How long a page may wait for `sessionConnected` on this account. */
const DEADLINE_MS = 3_000;
/** What the server gives, and takes, at once. */
const PROBE_BYTES = 65_536;

/** `probe` is the server's address for it; null when no server is known. Never rejects. */
export async function measureQuality(probe: URL | null): Promise<ConnectionQuality> {
  let latency: number | null = null;
  let down: number | null = null;
  let up: number | null = null;
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const timed = async (body: ArrayBuffer | null): Promise<number> => {
    const began = performance.now();
    const answer = await fetch(probe ?? '', {
      method: body === null ? 'GET' : 'POST',
      body,
      cache: 'no-store',
      signal,
    });
    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
    await answer.arrayBuffer();
    return performance.now() - began;
  };
  if (probe !== null) {
    try {
      await timed(new ArrayBuffer(0)); // opens the connection
      latency = await timed(new ArrayBuffer(0));
      down = await timed(null);
      up = await timed(new ArrayBuffer(PROBE_BYTES));
    } catch {
      // too slow, or refused: what is known is told
    }
  }
  return {
    downstreamBandwidth: bandwidth(down, latency),
    upstreamBandwidth: bandwidth(up, latency),
    latency: latency === null ? null : Math.round(latency),
  };
}

/** What is left of the time without the way there and back is the time of the bytes; a browser's clock is coarse. */
function bandwidth(milliseconds: number | null, latency: number | null): number | null {
  if (milliseconds === null || latency === null) return null;
  return Math.round((PROBE_BYTES * 8) / Math.max(1, milliseconds - latency));
}
