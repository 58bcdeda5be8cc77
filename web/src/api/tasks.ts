/**
 * Work for the application's side, each piece in a task of its own, in order. Handlers never run inside an API call. A job may
 * split itself into several tasks; it is over before the next job begins.
 */
import { reportUncaught } from '../logger.ts';

type Job = () => void;

const waiting: Job[] = [];
/** What the job that runs now has split off; null between jobs. */
let split: Job[] | null = null;
let wake: (() => void) | null = null;

/** Runs `job` in a later task, after every job queued before. */
export function queueJob(job: Job): void {
  waiting.push(job);
  wakeUp();
}

/** Splits `step` off the running job: it runs in a task of its own, after the steps split off before and before other jobs. */
export function queueStep(step: Job): void {
  if (split === null) {
    queueJob(step);
    return;
  }
  split.push(step);
  wakeUp();
}

/** Runs `step` once everything has run that the running job has split off: now, if that is nothing. */
export function afterwards(step: Job): void {
  if (split === null || split.length === 0) step();
  else queueStep(step);
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

function wakeUp(): void {
  wake ??= makeWaker();
  wake();
}

/** A message channel, because timers of background tabs are held back and messages are not. */
function makeWaker(): () => void {
  const channel = new MessageChannel();
  channel.port1.onmessage = runNext;
  return () => {
    channel.port2.postMessage(null);
  };
}

function runNext(): void {
  const job = waiting.shift();
  split = [];
  callBack(job);
  waiting.unshift(...split);
  split = null;
}
