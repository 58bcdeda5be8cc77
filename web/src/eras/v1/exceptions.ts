/** How mistakes and refusals are told: misuse is thrown, the rest is an `exception` event with a code of this era. */
import type { OTError } from '../../errors.ts';

/** What a method throws when it is misused: a plain Error that names the method. */
export function misuse(object: string, method: string, what: string): Error {
  return new Error(`${object}.${method}: ${what}.`);
}

/** Runs `call`; what it throws becomes a plain Error that names the method. */
export function named<Result>(object: string, method: string, call: () => Result): Result {
  try {
    return call();
  } catch (thrown) {
    const { message } = thrown as Error;
    if (message.startsWith(`${object}.`)) throw thrown;
    throw new Error(`${object}.${method}: ${message}`, { cause: thrown });
  }
}

const TITLES: Readonly<Record<number, string>> = {
  1000: 'Failed To Load',
  1004: 'Authentication error',
  1005: 'Invalid Session ID',
  1006: 'Connect Failed',
  1007: 'Connect Rejected',
  1008: 'Connect Time-out',
  1009: 'Security Error',
  1010: 'Not Connected',
  1011: 'Invalid Parameter',
  1012: 'Peer-to-peer Stream Play Failed',
  1013: 'Peer-to-peer Connection Failed',
  1014: 'API Response Failure',
  1500: 'Unable to Publish',
  1510: 'Unable to Signal',
  1520: 'Unable to Force Disconnect',
  1530: 'Unable to Force Unpublish',
  1535: 'Force Unpublish on Invalid Stream',
  1540: 'Unable to record archive',
  1550: 'Unable to play back archive',
  1560: 'Unable to create archive',
  1570: 'Unable to load archive',
  2000: 'Internal Error',
  2001: 'Embed Failed',
  2010: 'Report Issue Failure',
  3000: 'Archive load exception',
  3001: 'Archive create exception',
  3002: 'Playback stop exception',
  3003: 'Playback start exception',
  3004: 'Record start exception',
  3005: 'Record stop exception',
  3006: 'Archive load exception',
  3007: 'Session recording in progress',
  3008: 'Archive recording internal failure',
};

/** Errors that this era knows under another code than the second. */
const CODES: Readonly<Record<string, number>> = {
  OT_CONNECTION_LIMIT_EXCEEDED: 1007,
  OT_CREATE_PEER_CONNECTION_FAILED: 1013,
  OT_SET_REMOTE_DESCRIPTION_FAILED: 1013,
  OT_ICE_WORKFLOW_FAILED: 1013,
  OT_STREAM_NOT_FOUND: 1012,
  OT_STREAM_DESTROYED: 1012,
  OT_TIMEOUT: 1013,
  OT_UNEXPECTED_SERVER_RESPONSE: 1014,
};

/** Code and title of the `exception` event; an error that this era has no code for is an internal one. */
export function exception({ name, code }: OTError): { readonly code: number; readonly title: string } {
  const known = CODES[name] ?? code;
  const title = TITLES[known];
  return title === undefined ? { code: 2000, title: 'Internal Error' } : { code: known, title };
}
