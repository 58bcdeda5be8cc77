/** The errors that applications see: names and codes of contract/errors.yaml, as ordinary `Error` objects. */

/** Error name -> the code OpenTok gives it, where a request or a caller does not decide otherwise. */
export const ERROR_CODES = {
  OT_AUTHENTICATION_ERROR: 1004,
  OT_INVALID_SESSION_ID: 1005,
  OT_CONNECT_FAILED: 1006,
  OT_NOT_CONNECTED: 1010,
  OT_INVALID_PARAMETER: 1011,
  OT_CREATE_PEER_CONNECTION_FAILED: 1013,
  OT_SET_REMOTE_DESCRIPTION_FAILED: 1013,
  OT_CONNECTION_LIMIT_EXCEEDED: 1027,
  OT_PERMISSION_DENIED: 1500,
  OT_STREAM_CREATE_FAILED: 1500,
  OT_ICE_WORKFLOW_FAILED: 1553,
  OT_TIMEOUT: 1500,
  OT_STREAM_NOT_FOUND: 1600,
  OT_STREAM_DESTROYED: 1600,
  OT_DISCONNECTED: 1600,
  OT_STREAM_LIMIT_EXCEEDED: 1605,
  OT_UNEXPECTED_SERVER_RESPONSE: 2001,
  OT_INTERNAL_ERROR: 2000,
  OT_NOT_FOUND: 404,
  OT_RATE_LIMIT_EXCEEDED: 429,
  OT_FEATURE_MISSING: 403,
  OT_REFUSED_BY_APPLICATION: 403,
  OT_USER_MEDIA_ACCESS_DENIED: 1500,
  OT_NO_DEVICES_FOUND: 1500,
  OT_HARDWARE_UNAVAILABLE: 1500,
  OT_CONSTRAINTS_NOT_SATISFIED: 1500,
  OT_NO_VALID_CONSTRAINTS: 1500,
  OT_NOT_SUPPORTED: 1500,
  OT_UNABLE_TO_CAPTURE_MEDIA: 1500,
  OT_INVALID_VIDEO_SOURCE: 1500,
  OT_SET_VIDEO_SOURCE_FAILURE: 1500,
  OT_SCREEN_SHARING_NOT_SUPPORTED: 1550,
  OT_UNEXPECTED_ERROR_CODE: 2000,
  OT_REPORT_ISSUE_FAILED: 2010,
  OT_ENCRYPTION_SECRET_MISSING: 6000,
  OT_INVALID_ENCRYPTION_SECRET: 6004,
} as const;

export type ErrorName = keyof typeof ERROR_CODES;

/** Error name -> title of the `exception` event. */
const TITLES: Readonly<Record<string, string>> = {
  OT_AUTHENTICATION_ERROR: 'Authentication error',
  OT_INVALID_SESSION_ID: 'Invalid session id',
  OT_CONNECT_FAILED: 'Connect failed',
  OT_NOT_CONNECTED: 'Not connected',
  OT_INVALID_PARAMETER: 'Invalid parameter',
  OT_CREATE_PEER_CONNECTION_FAILED: 'Connection failed',
  OT_SET_REMOTE_DESCRIPTION_FAILED: 'Connection failed',
  OT_CONNECTION_LIMIT_EXCEEDED: 'Connection limit exceeded',
  OT_ICE_WORKFLOW_FAILED: 'ICE failed',
  OT_TIMEOUT: 'Timed out',
  OT_STREAM_NOT_FOUND: 'Stream not found',
  OT_STREAM_DESTROYED: 'Stream destroyed',
  OT_DISCONNECTED: 'Disconnected',
  OT_STREAM_LIMIT_EXCEEDED: 'Stream limit exceeded',
  OT_UNEXPECTED_SERVER_RESPONSE: 'Unexpected server response',
  OT_INTERNAL_ERROR: 'Internal error',
  OT_NOT_FOUND: 'Not found',
  OT_RATE_LIMIT_EXCEEDED: 'Too many signals',
  OT_FEATURE_MISSING: 'Feature missing',
  OT_REFUSED_BY_APPLICATION: 'Refused by the application',
  OT_NOT_SUPPORTED: 'Not supported',
  OT_INVALID_VIDEO_SOURCE: 'Invalid video source',
  OT_SET_VIDEO_SOURCE_FAILURE: 'Video source not set',
  OT_SCREEN_SHARING_NOT_SUPPORTED: 'Screen sharing not supported',
  OT_UNEXPECTED_ERROR_CODE: 'Unexpected error',
  OT_REPORT_ISSUE_FAILED: 'Issue not reported',
  OT_ENCRYPTION_SECRET_MISSING: 'Encryption secret missing',
  OT_INVALID_ENCRYPTION_SECRET: 'Invalid encryption secret',
};

/** Code -> title, for the codes that say more than the name of their error. */
const TITLES_OF_CODES: Readonly<Record<number, string>> = {
  400: 'Invalid signal',
  401: 'Unable to change the state',
  402: 'Invalid key',
  403: 'Invalid value',
  405: 'Too many keys',
  413: 'Signal too long',
  1008: 'Connect time-out',
  1500: 'Unable to publish',
  1501: 'Unable to subscribe',
  1510: 'Unable to signal',
  1520: 'Unable to force disconnect',
  1530: 'Unable to force unpublish',
  1540: 'Unable to force mute',
  1535: 'Force unpublish on an invalid stream',
};

/** An error as applications see it. Branch on `name`, which begins with `OT_`; `code` is kept for older applications. */
export class OTError extends Error {
  readonly code: number;
  /** On errors of `signal()`: the object that was passed in. */
  signal?: unknown;
  /** On failures of capture: the browser's own words. */
  originalName?: string;
  originalMessage?: string;

  constructor(name: ErrorName | (string & {}), message: string, code?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
    this.code = code ?? (ERROR_CODES as Readonly<Record<string, number>>)[name] ?? ERROR_CODES.OT_INTERNAL_ERROR;
  }
}

/** The title that the `exception` event gives to an error. */
export function titleOf({ name, code }: { readonly name: string; readonly code: number }): string {
  const general = name === 'OT_PERMISSION_DENIED' || name === 'OT_INVALID_PARAMETER' || name === 'OT_CONNECT_FAILED';
  const ofCode = TITLES_OF_CODES[code];
  return (general ? ofCode : undefined) ?? TITLES[name] ?? ofCode ?? 'Internal error';
}

/** `thrown` as an application error: itself if it is one, else wrapped under `name`. */
export function asOTError(thrown: unknown, name: ErrorName): OTError {
  if (thrown instanceof OTError) return thrown;
  return new OTError(name, thrown instanceof Error ? thrown.message : String(thrown), undefined, { cause: thrown });
}
