// The log of everything that the page was told: a bounded list of plain entries, and what one reads from it.

export const LOG_KINDS = ['session', 'connection', 'stream', 'signal', 'media', 'problem'] as const;
export type LogKind = (typeof LOG_KINDS)[number];

export interface LogEntry {
  /** Counts from 1; grows by one with each entry, also when old ones fell out. */
  readonly number: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  readonly kind: LogKind;
  /** The event's name in the API. */
  readonly type: string;
  readonly reason?: string;
  readonly summary: string;
  readonly details: Readonly<Record<string, string>>;
}

export type NewLogEntry = Omit<LogEntry, 'number'>;

/** Newest last; at most LOG_LIMIT entries. */
export type EventLog = readonly LogEntry[];

export const LOG_LIMIT = 500;

export interface LogFilter {
  /** undefined: every kind. */
  readonly kind: LogKind | undefined;
  /** Words that all occur somewhere in the entry, in any case; empty: no matter. */
  readonly text: string;
}

/** The log with `entry` at its end; above LOG_LIMIT the oldest falls out. */
export function appendEntry(log: EventLog, entry: NewLogEntry): EventLog {
  const number = (log.at(-1)?.number ?? 0) + 1;
  return [...log.slice(-(LOG_LIMIT - 1)), { ...entry, number }];
}

/** The entries that the filter lets through, in their order. */
export function filterLog(log: EventLog, filter: LogFilter): EventLog {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return log.filter((entry) => {
    if (filter.kind && entry.kind !== filter.kind) return false;
    const haystack = [entry.type, entry.reason, entry.summary, ...Object.entries(entry.details).flat()].join(' ').toLowerCase();
    return words.every((word) => haystack.includes(word));
  });
}

/** The log as text for a bug report: one line an entry, times in UTC, columns separated by tabs. */
export function logText(log: EventLog): string {
  return log
    .map((entry) => {
      const details = Object.entries(entry.details).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      return [new Date(entry.at).toISOString(), entry.type, entry.reason ?? '-', entry.summary, details.join(' ')].join('\t');
    })
    .join('\n');
}

/** Hours to milliseconds in the reader's time zone, such as 09:05:07.042. */
export function clockTime(at: number): string {
  const date = new Date(at);
  const pad = (value: number, length = 2): string => String(value).padStart(length, '0');
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}
