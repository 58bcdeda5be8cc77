/** The console, behind the log levels of the API. Rising verbosity; the default says errors only. */

export const LEVELS = { NONE: 0, ERROR: 1, WARN: 2, INFO: 3, LOG: 4, DEBUG: 5 } as const;

let level: number = LEVELS.ERROR;

/** Sets how much is printed and returns the level. */
export function setLevel(wanted: number): number {
  level = wanted;
  return level;
}

function printer(least: number, method: 'error' | 'warn' | 'info' | 'log' | 'debug') {
  return (...words: unknown[]): void => {
    // eslint-disable-next-line no-console -- the one place that may print
    if (level >= least) console[method]('[OT]', ...words);
  };
}

export const logger = {
  error: printer(LEVELS.ERROR, 'error'),
  warn: printer(LEVELS.WARN, 'warn'),
  info: printer(LEVELS.INFO, 'info'),
  log: printer(LEVELS.LOG, 'log'),
  debug: printer(LEVELS.DEBUG, 'debug'),
};

/** Lets an exception of the application's own code reach the console and `window.onerror` without stopping ours. */
export function reportUncaught(thrown: unknown): void {
  if (typeof reportError === 'function') reportError(thrown);
  else
    setTimeout(() => {
      throw thrown;
    });
}
