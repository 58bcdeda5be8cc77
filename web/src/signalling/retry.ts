/** When to try again after a lost socket. */

/** The first retry is made at once: most losses are a server that restarts or a network that changes. */
const FIRST_DELAY_MS = 0;
/** Chosen by judgement: fast enough for a blink, and 3,000 clients of a restarted server spread over seconds. */
const BASE_DELAY_MS = 300;
const LONGEST_DELAY_MS = 5_000;

/**
 * Milliseconds to wait before retry number `attempt` (from 0): none, then doubling from 0.3 to 5 s, each shortened by up
 * to half so that clients spread. `random` is in [0, 1).
 */
export function retryDelayMs(attempt: number, random: number): number {
  if (attempt === 0) return FIRST_DELAY_MS;
  const ceiling = Math.min(LONGEST_DELAY_MS, BASE_DELAY_MS * 2 ** (attempt - 1));
  return ceiling * (1 - random / 2);
}
