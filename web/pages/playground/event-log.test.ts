import { describe, expect, test } from 'vitest';
import { appendEntry, clockTime, filterLog, LOG_LIMIT, logText, type EventLog, type NewLogEntry } from './event-log.ts';

const entry = (type: string, more: Partial<NewLogEntry> = {}): NewLogEntry => ({
  at: Date.UTC(2030, 0, 2, 3, 4, 5, 6),
  kind: 'session',
  type,
  summary: '',
  details: {},
  ...more,
});

const logOf = (...entries: NewLogEntry[]): EventLog => entries.reduce<EventLog>(appendEntry, []);

describe('the event log', () => {
  test('numbers entries from 1 and leaves the old log as it was', () => {
    const before = logOf(entry('sessionConnected'));
    const after = appendEntry(before, entry('sessionDisconnected'));
    expect(after.map(({ number, type }) => [number, type])).toEqual([[1, 'sessionConnected'], [2, 'sessionDisconnected']]);
    expect(before).toHaveLength(1);
  });

  test('drops the oldest at its limit and goes on counting', () => {
    const log = logOf(...Array.from({ length: LOG_LIMIT + 3 }, (_, index) => entry(`event${index}`)));
    expect(log).toHaveLength(LOG_LIMIT);
    expect(log[0]?.type).toBe('event3');
    expect(log.at(-1)?.number).toBe(LOG_LIMIT + 3);
  });

  test('filters by kind and by words anywhere in an entry', () => {
    const log = logOf(
      entry('streamCreated', { kind: 'stream', details: { streamId: 'AbC' } }),
      entry('streamDestroyed', { kind: 'stream', reason: 'forceUnpublished' }),
      entry('signal', { summary: 'chat from Ann' }),
    );
    const types = (kind: 'stream' | undefined, text: string): string[] => filterLog(log, { kind, text }).map(({ type }) => type);
    expect(types(undefined, '')).toHaveLength(3);
    expect(types('stream', '')).toEqual(['streamCreated', 'streamDestroyed']);
    expect(types(undefined, 'abc')).toEqual(['streamCreated']);
    expect(types(undefined, 'ANN chat')).toEqual(['signal']);
    expect(types('stream', 'ann')).toEqual([]);
    expect(types(undefined, 'forceunp')).toEqual(['streamDestroyed']);
  });

  test('becomes one line an entry, with strange text kept on its line', () => {
    const text = logText(logOf(entry('signal', { details: { data: 'two\nlines' } }), entry('sessionDisconnected', { reason: 'clientDisconnected' })));
    const lines = text.split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe('2030-01-02T03:04:05.006Z\tsignal\t-\t\tdata="two\\nlines"');
    expect(lines[1]).toContain('clientDisconnected');
  });
});

test('clock times keep their width', () => {
  expect(clockTime(new Date(2030, 0, 2, 9, 5, 7, 42).getTime())).toBe('09:05:07.042');
});
