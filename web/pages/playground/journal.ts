// How the page reports: entries of the event log, and toasts for what the user must know.
import type { LogKind } from './event-log.ts';
import type { OpenTokError } from './opentok.ts';
import type { Dispatch } from './state.ts';
import { problemWords, type Attempt } from './words.ts';

export interface LogLine {
  readonly type: string;
  readonly summary: string;
  readonly reason?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export class Journal {
  readonly #dispatch: Dispatch;
  readonly #now: () => number;

  constructor(dispatch: Dispatch, now: () => number) {
    this.#dispatch = dispatch;
    this.#now = now;
  }

  log(kind: LogKind, { type, summary, reason, details = {} }: LogLine): void {
    const known = Object.entries(details).filter(([, value]) => value !== undefined && value !== '');
    this.#dispatch({
      type: 'logged',
      entry: {
        at: this.#now(),
        kind,
        type,
        summary,
        details: Object.fromEntries(known.map(([key, value]) => [key, asText(value)])),
        ...(reason === undefined ? {} : { reason }),
      },
    });
  }

  notice(title: string, text: string): void {
    this.#dispatch({ type: 'toasted', kind: 'notice', words: { title, text } });
  }

  problem(attempt: Attempt, error: OpenTokError): void {
    const words = problemWords(attempt, error);
    this.log('problem', { type: error.name, summary: error.message, details: { attempt, code: error.code } });
    this.#dispatch({ type: 'toasted', kind: 'problem', words });
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
