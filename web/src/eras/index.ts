/** The two generations of the API, as differences only, and which one a script address means. */
import type { Era } from '../api/era.ts';
import { v1 } from './v1.ts';
import { v2 } from './v2.ts';

export { v1, v2 };

const SCRIPT_ADDRESS = /\/(?:v0\.91|v1\.1|v2|webrtc\/v2\.[02])\/js\/[^/]*$/;
const V1_ADDRESSES = ['/v0.91/', '/v1.1/', '/webrtc/v2.0/'];

/** The era of the address from which a page loaded the script; the second for every address that is not of the first. */
export function eraOf(scriptPath: string): Era {
  return V1_ADDRESSES.some((address) => scriptPath.includes(address)) ? v1 : v2;
}

/** The server that a script came from: what stands before the script's own path, so that a server may have a prefix. */
export function serverOf(script: URL): string {
  return script.origin + script.pathname.replace(SCRIPT_ADDRESS, '');
}
