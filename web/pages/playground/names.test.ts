import { describe, expect, test } from 'vitest';
import { cleanName, hueOf, initials, inventName, NAME_LENGTH, nameFromData, shortId } from './names.ts';

describe('names', () => {
  test('invented ones have two words, whatever the dice say', () => {
    for (const dice of [0, 0.5, 0.999999]) expect(inventName(() => dice)).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
  });

  test('are one trimmed line of bounded length', () => {
    expect(cleanName('  Ann \n\t Lee ')).toBe('Ann Lee');
    expect(cleanName(' \n ')).toBeUndefined();
    expect(Array.from(cleanName('🦉'.repeat(99)) ?? '')).toHaveLength(NAME_LENGTH);
  });

  test('come from JSON or plain connection data', () => {
    expect(nameFromData('{"name":"Ann","id":7}')).toBe('Ann');
    expect(nameFromData('{"userName":"Bob"}')).toBe('Bob');
    expect(nameFromData('Carla')).toBe('Carla');
    expect(nameFromData('1234')).toBe('1234');
    expect(nameFromData('{"id":7}')).toBeUndefined();
    expect(nameFromData('{"name":7}')).toBeUndefined();
    expect(nameFromData('')).toBeUndefined();
  });

  test('shorten to initials, identifiers to six characters', () => {
    expect(initials('Quiet Heron')).toBe('QH');
    expect(initials('ñandú')).toBe('Ñ');
    expect(initials('')).toBe('');
    expect(shortId('0f3a-91bc-77')).toBe('0f3a91');
  });

  test('give the same colour to the same person', () => {
    expect(hueOf('abc')).toBe(hueOf('abc'));
    expect(hueOf('abc')).not.toBe(hueOf('abd'));
    expect(hueOf('a much longer identifier')).toBeLessThan(360);
  });
});
