// The session that the server hands out by itself: `tertulia dev` does, a production server does not.
import type { Credentials } from './address.ts';
import type { Role } from './roles.ts';

// Beside the page, so that it is found below a path as well.
const CONFIG_ADDRESS = 'playground/config.json';

/**
 * Asks the server for a session and a token of that role.
 *
 * Returns undefined when the server hands none out (404). Throws an Error that says what went wrong when it does not
 * answer or answers something else.
 */
export async function fetchCredentials(role: Role): Promise<Credentials | undefined> {
  const answer = await fetch(`${CONFIG_ADDRESS}?role=${role}`, { cache: 'no-store' });
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`The server answered ${answer.status} to ${CONFIG_ADDRESS}.`);
  const credentials = parseConfig(await answer.json(), role);
  if (!credentials) throw new Error(`The server’s ${CONFIG_ADDRESS} names no key, session and token.`);
  return credentials;
}

/** The credentials for `role` in the server's answer, or undefined when it lacks one of them. */
export function parseConfig(config: unknown, role: Role): Credentials | undefined {
  const { apiKey, sessionId, tokens } = record(config);
  const token = record(tokens)[role];
  if (typeof apiKey !== 'string' || typeof sessionId !== 'string' || typeof token !== 'string') return undefined;
  return { apiKey, sessionId, token };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
