/** The argument forms of both eras: trailing parameters may be left out, and older forms begin with the API key. */
import type { Properties } from '../options.ts';

export type Target = string | HTMLElement | null;

export interface ViewArguments<Done> {
  readonly target: Target;
  readonly properties: Properties;
  readonly done: Done | undefined;
}

type Completion = (...args: never[]) => void;

/** `[target [, properties [, handler]]]`, each of which may be missing. */
export function viewArguments<Done extends Completion>(args: readonly unknown[]): ViewArguments<Done> {
  const rest = [...args];
  const last = rest.findIndex((argument) => typeof argument === 'function');
  const done = last < 0 ? undefined : (rest[last] as Done);
  if (last >= 0) rest.length = last;
  const target = isTarget(rest[0]) ? (rest.shift() as Target | undefined) : null;
  const properties = rest.find((argument) => typeof argument === 'object' && argument !== null);
  return { target: target ?? null, properties: { ...(properties as Properties | undefined) }, done };
}

/**
 * The arguments of `initPublisher` without a leading API key, which older forms have: digits that are not the id of an
 * element.
 */
export function withoutApiKey(args: readonly unknown[]): {
  readonly apiKey: string | undefined;
  readonly rest: readonly unknown[];
} {
  const [first, ...rest] = args;
  const keyLike = typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first));
  if (!keyLike || document.getElementById(String(first)) !== null) return { apiKey: undefined, rest: args };
  return { apiKey: String(first), rest };
}

export interface ConnectArguments<Done> {
  /** Undefined: the one that the session was made with. */
  readonly apiKey: string | undefined;
  readonly token: unknown;
  readonly done: Done | undefined;
}

/**
 * `(token [, handler])` or the older `(apiKey, token [, properties or handler])`: the latter when the session has no key,
 * or when two texts are given and the first is the session's key.
 */
export function connectArguments<Done extends Completion>(
  args: readonly unknown[],
  sessionKey: string | undefined,
): ConnectArguments<Done> {
  const [first, second] = args;
  const done = args.find((argument) => typeof argument === 'function') as Done | undefined;
  const isText = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number';
  const older = args.length >= 2 && isText(first) && typeof second === 'string';
  if (older && (sessionKey === undefined || String(first) === sessionKey))
    return { apiKey: String(first), token: second, done };
  return { apiKey: undefined, token: first, done };
}

/** `(apiKey, sessionId)` or the older `(sessionId)`, as texts; undefined where nothing was given. */
export function sessionArguments(args: readonly unknown[]): {
  readonly apiKey: string | undefined;
  readonly sessionId: string | undefined;
} {
  const [first, second] = args;
  const text = (value: unknown): string | undefined =>
    value === undefined || value === null ? undefined : String(value);
  return second === undefined || second === null
    ? { apiKey: undefined, sessionId: text(first) }
    : { apiKey: text(first), sessionId: text(second) };
}

/** The id in an object of the API or in a text; undefined for anything else. */
export function idOf(value: unknown, member: 'connectionId' | 'streamId'): string | undefined {
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const { [member]: id, id: alias } = value as Record<string, unknown>;
  return typeof id === 'string' ? id : typeof alias === 'string' ? alias : undefined;
}

function isTarget(value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'string') return true;
  return typeof value === 'object' && 'nodeType' in value && value.nodeType === 1;
}

export function isTrack(value: unknown): value is MediaStreamTrack {
  return typeof value === 'object' && value !== null && 'kind' in value && 'readyState' in value;
}

/** Whether `value` is a media processor's connector: an object with `setTrack` and `destroy`. */
export function isProcessor(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { setTrack, destroy } = value as Record<string, unknown>;
  return typeof setTrack === 'function' && typeof destroy === 'function';
}
