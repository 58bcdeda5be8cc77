/** The console, behind the log levels of the API. Rising verbosity; the default says errors only. */

export const LEVELS = { NONE: 0, ERROR: 1, WARN: 2, INFO: 3, LOG: 4, DEBUG: 5 } as const;

let level: number = LEVELS.ERROR;
/** What each level is called by number; the order of LOG and DEBUG differs between builds. */
let levels: Readonly<Record<keyof typeof LEVELS, number>> = LEVELS;
/** Gets every line that is printed, beside the console. */
let echo: (line: string) => void = () => undefined;

/** Sets how much is printed and returns the level. */
export function setLevel(wanted: number): number {
  level = wanted;
  return level;
}

/** Gives the levels other numbers, and every printed line a second place to go to. */
export function configureLog(numbers: typeof levels, alsoTo: typeof echo): void {
  levels = numbers;
  echo = alsoTo;
}

function printer(least: keyof typeof LEVELS, method: 'error' | 'warn' | 'info' | 'log' | 'debug') {
  return (...words: unknown[]): void => {
    if (level < levels[least]) return;
    // eslint-disable-next-line no-console -- the one place that may print
    console[method]('[OT]', ...words);
    echo(words.map(String).join(' '));
  };
}

export const logger = {
  error: printer('ERROR', 'error'),
  warn: printer('WARN', 'warn'),
  info: printer('INFO', 'info'),
  log: printer('LOG', 'log'),
  debug: printer('DEBUG', 'debug'),
};

/** Lets an exception of the application's own code reach the console and `window.onerror` without stopping ours. */
export function reportUncaught(thrown: unknown): void {
  if (typeof reportError === 'function') reportError(thrown);
  else
    setTimeout(() => {
      throw thrown;
    });
}
