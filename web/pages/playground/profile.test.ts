import { expect, test } from 'vitest';
import { encodeProfile, parseProfile } from './profile.ts';

test('a profile survives the way to somebody else', () => {
  const profile = { name: 'Ann', role: 'publisher', asks: true } as const;
  expect(parseProfile(encodeProfile(profile))).toEqual(profile);
});

test('what others claim is read with care', () => {
  expect(parseProfile('{"name":"  Ann\\n","role":"king","asks":"yes"}')).toEqual({ name: 'Ann', role: undefined, asks: false });
  for (const data of ['', 'null', '[]', '{}', '{"name":""}', '{"name":{}}', 'not json']) expect(parseProfile(data)).toBeUndefined();
});
