/** Signals as the first WebRTC builds had them: any JSON value, several receivers, handlers inside the object. */
import { Session, type Done } from '../../api/index.ts';
import type { Properties } from '../../options.ts';

export interface GivenSignal {
  /** One for each receiver; `to` is absent where everybody is meant. */
  readonly signals: readonly Properties[];
  /** Hears once of all of them; undefined when the application wants no answer. */
  readonly done: Done | undefined;
}

/** `({to, type, data, success, error} [, handler])`, or nothing at all. */
export function givenSignal(given: unknown, handler: unknown): GivenSignal {
  if (typeof given === 'function') return { signals: [{}], done: given as Done };
  const { to, data, success, error, ...others } = (given ?? {}) as Properties;
  const receivers: readonly unknown[] = Array.isArray(to) ? to : [to];
  const signals = receivers.map((receiver) => ({
    ...others,
    ...(receiver === undefined || receiver instanceof Session ? {} : { to: receiver }),
    ...(data === undefined ? {} : { data: written(data) }),
  }));
  return { signals, done: typeof handler === 'function' ? (handler as Done) : answer(success, error) };
}

/** What a signal says: the JSON value that it carries, or its text where that is none. */
export function saidBy(data: string | undefined): unknown {
  try {
    return data === undefined ? data : (JSON.parse(data) as unknown);
  } catch {
    return data;
  }
}

/** Texts stay as they are, for the other generations, unless they would be taken for another value. */
function written(data: unknown): unknown {
  if (data === null || (typeof data === 'string' && saidBy(data) === data)) return data;
  return JSON.stringify(data);
}

function answer(success: unknown, error: unknown): Done | undefined {
  if (typeof success !== 'function' && typeof error !== 'function') return undefined;
  return (failed) => {
    const heard = failed === undefined ? success : error;
    if (typeof heard === 'function') (heard as Done)(failed);
  };
}
