// Times, ids and counts as people read them.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long ago something was, in its largest unit; nothing if it is not known. */
export function ago(thenMs: number, nowMs: number): string {
  if (!thenMs) return 'some time ago';
  const passed = Math.max(0, nowMs - thenMs);
  if (passed < MINUTE) return 'just now';
  if (passed < HOUR) return `${Math.floor(passed / MINUTE)} min ago`;
  if (passed < DAY) return `${Math.floor(passed / HOUR)} h ago`;
  if (passed < 30 * DAY) return count(Math.floor(passed / DAY), 'day') + ' ago';
  return new Date(thenMs).toISOString().slice(0, 10);
}

export function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

/** A long id by its ends, which differ. */
export function shortId(id: string): string {
  return id.length <= 18 ? id : `${id.slice(0, 6)}…${id.slice(-9)}`;
}

/** `user=17&name=Ida` as the name in it, if there is one: the way most applications fill a token's data. */
export function nameIn(data: string): string {
  try {
    const json = JSON.parse(data) as { readonly name?: unknown };
    if (typeof json.name === 'string' && json.name) return json.name;
  } catch {
    // not JSON
  }
  return new URLSearchParams(data).get('name') ?? '';
}

export const LIFETIMES: readonly (readonly [seconds: number, words: string])[] = [
  [3_600, '1 hour'],
  [86_400, '1 day'],
  [604_800, '7 days'],
  [2_592_000, '30 days'],
];
