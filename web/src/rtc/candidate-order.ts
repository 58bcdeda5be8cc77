/**
 * Gives the candidates of answers priorities by which the newest generation of ICE wins.
 *
 * After an ICE restart Chromium keeps the pair of addresses from before. As long as that one passes for alive, for 3.5 s after
 * its last packet, a new pair of lower priority is not even checked, and one over TCP is always lower than one over UDP. So
 * priorities rise with every restart, and UDP comes before TCP within one. Pairs of addresses have the lower of two
 * candidates' priorities first (RFC 8445 section 6.1.2.3): those given here are below all that browsers give their own.
 */

const CANDIDATE = /^(a=candidate:\S+ \d+ (\S+)) (\d+)/gm;
const UFRAG = /^a=ice-ufrag:(.*)$/m;

/** Priorities of one protocol in one generation. */
const RANKS = 0x1000;
/** Beyond so many restarts they rise no more; all stay below the 2^30 of a browser's own TCP candidates. */
const MAX_GENERATION = 0xffff;

export class CandidateOrder {
  private generation = 0;
  private ufrag: string | undefined;

  /** The answer `sdp` with those priorities. Within a protocol and a generation the server's order stays. */
  apply(sdp: string): string {
    const ufrag = UFRAG.exec(sdp)?.[1]?.trim();
    if (this.ufrag !== undefined && ufrag !== this.ufrag && this.generation < MAX_GENERATION) this.generation += 1;
    this.ufrag = ufrag;
    const given = [...new Set([...sdp.matchAll(CANDIDATE)].map(([, , , priority]) => Number(priority)))].sort(
      (a, b) => a - b,
    );
    return sdp.replace(CANDIDATE, (_, start: string, protocol: string, priority: string) => {
      const level = 2 * this.generation + (protocol.toLowerCase() === 'udp' ? 1 : 0);
      const rank = Math.min(given.indexOf(Number(priority)) + 1, RANKS - 1);
      return `${start} ${String(level * RANKS + rank)}`;
    });
  }
}
