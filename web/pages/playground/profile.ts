// How people tell each other their names: a signal of type `profile`. OpenTok has no names of its own; what a token's
// connection data or a stream says is the alternative. All of it is what a client claims about itself, for display only.
import { cleanName } from './names.ts';
import { isRole, type Role } from './roles.ts';

export const PROFILE_SIGNAL = 'profile';

export interface Profile {
  readonly name: string;
  readonly role: Role | undefined;
  /** True in the first signal after joining: whoever hears it answers with a profile of their own. */
  readonly asks: boolean;
}

export function encodeProfile(profile: Profile): string {
  return JSON.stringify(profile);
}

/** The profile in a signal's data, or undefined when it is not one. */
export function parseProfile(data: string): Profile | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const facts = parsed as Record<string, unknown>;
  const name = typeof facts['name'] === 'string' ? cleanName(facts['name']) : undefined;
  if (name === undefined) return undefined;
  return { name, role: isRole(facts['role']) ? facts['role'] : undefined, asks: facts['asks'] === true };
}
