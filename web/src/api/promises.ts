/** Completion handlers and promises side by side. */
import type { OTError } from '../errors.ts';
import { callBack, queueJob } from './tasks.ts';

export type Done<Value = void> = (error?: OTError, value?: Value) => void;

/** Calls `done` when `work` settles, in a task of its own, and keeps an unread rejection from being reported. */
export function settle<Value>(work: Promise<Value>, done?: Done<Value>): Promise<Value> {
  work.then(
    (value) => {
      queueJob(() => {
        callBack(done, undefined, value);
      });
    },
    (error: unknown) => {
      queueJob(() => {
        callBack(done, error as OTError);
      });
    },
  );
  return work;
}

/**
 * Gives `method` its `.promise` companion: the same arguments without the handler, resolving to what the method returns
 * (or to what `valueOf` makes of that), or rejecting with the handler's error.
 */
export function withPromise<Result, Value = Result>(
  method: (...args: unknown[]) => Result,
  valueOf: (result: Result) => Value = (result) => result as unknown as Value,
): ((...args: unknown[]) => Result) & { promise: (...args: unknown[]) => Promise<Value> } {
  const promise = (...args: unknown[]): Promise<Value> =>
    new Promise((resolve, reject) => {
      const result = method(...args, (error?: OTError) => {
        if (error) reject(error);
        else resolve(valueOf(result));
      });
    });
  return Object.assign((...args: unknown[]) => method(...args), { promise });
}

/**
 * Gives `method`, which does its work at once, a `.promise` companion that resolves to nothing. A completion handler that
 * is passed last is called as well.
 */
export function withQuickPromise<Result>(
  method: (...args: unknown[]) => Result,
): ((...args: unknown[]) => Result) & { promise: (...args: unknown[]) => Promise<void> } {
  const called = (...args: unknown[]): Result => {
    const result = method(...args);
    const done = args.at(-1);
    if (typeof done === 'function') void settle(Promise.resolve(), done as Done);
    return result;
  };
  return Object.assign(called, {
    promise: async (...args: unknown[]): Promise<void> => {
      method(...args);
    },
  });
}
