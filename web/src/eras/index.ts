/** The two generations of the API, as differences only, and which one a script address means. */
import type { Era } from '../api/era.ts';
import { FIRST_ERA } from './v1/index.ts';
import { v2 } from './v2.ts';

export { FIRST_ERA, v2 };
export const v1 = FIRST_ERA['1.1'];

const SCRIPT_ADDRESS = /\/(?:v0\.91|v1\.[01]|v2|webrtc\/v2\.[02])\/js\/[^/]*$/;

/** What tells an address of the first generation, and the build that pages expect there. */
const FIRST_ADDRESSES = [
  ['/v0.91/', FIRST_ERA['0.91']],
  ['/v1.0/', v1],
  ['/v1.1/', v1],
  ['/webrtc/v2.0/', FIRST_ERA['2.0']],
] as const;

/** The era of the address from which a page loaded the script; the second for every address that is not of the first. */
export function eraOf(scriptPath: string): Era {
  return FIRST_ADDRESSES.find(([address]) => scriptPath.includes(address))?.[1] ?? v2;
}

/** The server that a script came from: what stands before the script's own path, so that a server may have a prefix. */
export function serverOf(script: URL): string {
  return script.origin + script.pathname.replace(SCRIPT_ADDRESS, '');
}
