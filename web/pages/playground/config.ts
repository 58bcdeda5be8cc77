// The session that the server hands out by itself: `tertulia dev` does, a production server does not.
import type { Credentials } from './address.ts';
import type { Role } from './roles.ts';

// Beside the page, so that it is found below a path as well.
const CONFIG_ADDRESS = 'playground/config.json';

/** What the server hands out: a session, and how bad it makes the network on purpose, if it does (`loss=20,delay=150`). */
export interface Offer {
  readonly credentials: Credentials;
  readonly impair: string | undefined;
}

/**
 * Asks the server for a session and a token of that role.
 *
 * Returns undefined when the server hands none out (404). Throws an Error that says what went wrong when it does not
 * answer or answers something else.
 */
export async function fetchOffer(role: Role): Promise<Offer | undefined> {
  const answer = await fetch(`${CONFIG_ADDRESS}?role=${role}`, { cache: 'no-store' });
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`The server answered ${answer.status} to ${CONFIG_ADDRESS}.`);
  const offer = parseConfig(await answer.json(), role);
  if (!offer) throw new Error(`The server’s ${CONFIG_ADDRESS} names no key, session and token.`);
  return offer;
}

/** What the server's answer hands out for `role`, or undefined when it lacks key, session or token. */
export function parseConfig(config: unknown, role: Role): Offer | undefined {
  const { apiKey, sessionId, tokens, impair } = record(config);
  const token = record(tokens)[role];
  if (typeof apiKey !== 'string' || typeof sessionId !== 'string' || typeof token !== 'string') return undefined;
  return { credentials: { apiKey, sessionId, token }, impair: typeof impair === 'string' ? impair : undefined };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
