// What the page's address says, and the addresses that the page gives away.
import { cleanName } from './names.ts';
import { isRole, type Role } from './roles.ts';

/** What it takes to join one session. */
export interface Credentials {
  readonly apiKey: string;
  readonly sessionId: string;
  readonly token: string;
}

export interface Address {
  readonly role: Role;
  readonly name: string | undefined;
  readonly credentials: Credentials | undefined;
}

/**
 * Reads `?role=` (anything unknown is a moderator) and `?name=`, and from the hash `#key=…&session=…&token=…`.
 *
 * Credentials in the query are not read: a query travels to servers and into their logs, a hash stays in the browser.
 */
export function readAddress(url: URL): Address {
  const role = url.searchParams.get('role');
  const hash = new URLSearchParams(url.hash.slice(1));
  const apiKey = hash.get('key') ?? '';
  const sessionId = hash.get('session') ?? '';
  const token = hash.get('token') ?? '';
  return {
    role: isRole(role) ? role : 'moderator',
    name: cleanName(url.searchParams.get('name') ?? ''),
    credentials: apiKey && sessionId && token ? { apiKey, sessionId, token } : undefined,
  };
}

/**
 * The address at which somebody else joins the same session.
 *
 * With `credentials` (a session that this server does not hand out itself) the address carries them in its hash and
 * `role` says nothing, since the token decides.
 */
export function inviteAddress(page: URL, role: Role, credentials: Credentials | undefined): string {
  const address = new URL(page.pathname, page.origin);
  if (credentials)
    address.hash = new URLSearchParams({
      key: credentials.apiKey,
      session: credentials.sessionId,
      token: credentials.token,
    }).toString();
  else address.searchParams.set('role', role);
  return address.href;
}

/** True where the address means only the computer that opens it. */
export function isThisComputerOnly(page: URL): boolean {
  return page.hostname === 'localhost' || page.hostname.endsWith('.localhost') || page.hostname === '[::1]' || page.hostname.startsWith('127.');
}
