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
 * Gives `method` its `.promise` companion: the same arguments without the handler, resolving to what the method returns,
 * or rejecting with the handler's error.
 */
export function withPromise<Result>(
  method: (...args: unknown[]) => Result,
): ((...args: unknown[]) => Result) & { promise: (...args: unknown[]) => Promise<Result> } {
  const promise = (...args: unknown[]): Promise<Result> =>
    new Promise((resolve, reject) => {
      const result = method(...args, (error?: OTError) => {
        if (error) reject(error);
        else resolve(result);
      });
    });
  return Object.assign((...args: unknown[]) => method(...args), { promise });
}
