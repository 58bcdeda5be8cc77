/**
 * Members of the OpenTok API that this version does not offer yet. They exist, and say so: those that return a promise
 * reject with OT_NOT_SUPPORTED, the others throw it. Whoever builds one takes it out of this list.
 */
import { OTError } from '../errors.ts';
import { settle, type Done } from './promises.ts';

interface Members {
  readonly rejects: readonly string[];
  readonly throws: readonly string[];
}

type Owner = 'namespace' | 'session' | 'publisher' | 'subscriber' | 'stream';

const UNAVAILABLE: Readonly<Record<Owner, Members>> = {
  namespace: { rejects: [], throws: [] },
  session: { rejects: [], throws: [] },
  publisher: { rejects: [], throws: [] },
  subscriber: { rejects: [], throws: [] },
  stream: { rejects: [], throws: [] },
};

/** Puts the members that `owner` lacks on `target` (an object or a prototype); what is there already stays. */
export function addUnavailable(target: object, owner: Owner): void {
  const { rejects, throws } = UNAVAILABLE[owner];
  for (const name of rejects) define(target, name, (...args) => rejection(name, args.at(-1)));
  for (const name of throws) {
    define(target, name, () => {
      throw notSupported(name);
    });
  }
}

function define(target: object, name: string, value: (...args: unknown[]) => unknown): void {
  if (!(name in target)) Object.defineProperty(target, name, { value, configurable: true, writable: true });
}

/** A completion handler that was passed last hears of it as well. */
function rejection(name: string, handler: unknown): Promise<never> {
  return settle(
    Promise.reject<never>(notSupported(name)),
    typeof handler === 'function' ? (handler as Done<never>) : undefined,
  );
}

/** What a member raises that this version does not offer yet. */
export function notSupported(name: string): OTError {
  return new OTError('OT_NOT_SUPPORTED', `${name}() is not available in this version.`);
}
