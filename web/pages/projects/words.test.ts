import { expect, it } from 'vitest';
import { ago, count, nameIn, shortId } from './words.ts';

const NOW = 1_767_225_600_000;

it.each([
  [0, 'some time ago'],
  [NOW + 5_000, 'just now'],
  [NOW - 59_000, 'just now'],
  [NOW - 60_000, '1 min ago'],
  [NOW - 7_200_000, '2 h ago'],
  [NOW - 86_400_000, '1 day ago'],
  [NOW - 3 * 86_400_000, '3 days ago'],
  [NOW - 40 * 86_400_000, '2025-11-22'],
])('%i is %s', (then, words) => {
  expect(ago(then, NOW)).toBe(words);
});

it('a name is found where applications put it', () => {
  expect(nameIn('user=17&name=Ida')).toBe('Ida');
  expect(nameIn('{"name":"Bo"}')).toBe('Bo');
  expect(nameIn('{"name":7}')).toBe('');
  expect(nameIn('Ida')).toBe('');
});

it('long ids keep their ends, and counts their plural', () => {
  expect(shortId('b7d0a3c2-0000-4000-8000-0123456789ab')).toBe('b7d0a3…3456789ab');
  expect(shortId('40012345')).toBe('40012345');
  expect([count(1, 'stream'), count(2, 'stream')]).toEqual(['1 stream', '2 streams']);
});
