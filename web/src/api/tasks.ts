/** Work for the application's side, each piece in a task of its own, in order. Handlers never run inside an API call. */
import { reportUncaught } from '../logger.ts';

const waiting: (() => void)[] = [];
let wake: (() => void) | null = null;

/** Runs `job` in a later task, after every job queued before. */
export function queueJob(job: () => void): void {
  waiting.push(job);
  wake ??= makeWaker();
  wake();
}

/** Calls a completion handler now; what it throws is reported and goes no further. */
export function callBack<Arguments extends readonly unknown[]>(
  handler: ((...args: Arguments) => void) | undefined,
  ...args: Arguments
): void {
  if (typeof handler !== 'function') return; // applications pass all kinds of things
  try {
    handler(...args);
  } catch (thrown) {
    reportUncaught(thrown);
  }
}

/** A message channel, because timers of background tabs are held back and messages are not. */
function makeWaker(): () => void {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    callBack(waiting.shift());
  };
  return () => {
    channel.port2.postMessage(null);
  };
}
