// What people are called on the page. Names come from other people's browsers: they are text, never markup.

export const NAME_LENGTH = 40;

const MOODS = ['Amber', 'Breezy', 'Calm', 'Clever', 'Daring', 'Gentle', 'Jolly', 'Kind', 'Lively', 'Lucky', 'Merry', 'Quiet', 'Sunny', 'Witty'];
const ANIMALS = ['Badger', 'Falcon', 'Finch', 'Fox', 'Gecko', 'Heron', 'Ibex', 'Lynx', 'Magpie', 'Marten', 'Otter', 'Robin', 'Stork', 'Wren'];

/** A friendly name; `random` yields numbers from 0 up to but not including 1. */
export function inventName(random: () => number): string {
  const pick = (words: readonly string[]): string => words[Math.floor(random() * words.length)] ?? '';
  return `${pick(MOODS)} ${pick(ANIMALS)}`;
}

/** `text` fit for a name: one line, trimmed, at most NAME_LENGTH characters; undefined when nothing is left. */
export function cleanName(text: string): string | undefined {
  const name = Array.from(text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()).slice(0, NAME_LENGTH).join('').trim();
  return name === '' ? undefined : name;
}

/** The name in a token's connection data: a `name` or `userName` in JSON, or the plain text itself. */
export function nameFromData(data: string): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    return cleanName(data);
  }
  if (typeof parsed !== 'object' || parsed === null) return cleanName(String(data));
  const facts = parsed as Record<string, unknown>;
  const name = [facts['name'], facts['userName'], facts['username']].find((value) => typeof value === 'string');
  return typeof name === 'string' ? cleanName(name) : undefined;
}

/** The first characters of an identifier, enough to tell people apart. */
export function shortId(id: string): string {
  return id.replace(/[^\p{L}\p{N}]/gu, '').slice(0, 6);
}

/** One or two letters for a picture without video. */
export function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => Array.from(word ?? '')[0] ?? '');
  return letters.join('').toUpperCase();
}

/** A hue in degrees that stays the same for the same identifier. */
export function hueOf(id: string): number {
  let hash = 0;
  for (const character of id) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return hash;
}
