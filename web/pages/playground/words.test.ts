import { expect, test } from 'vitest';
import { departureWords, endingWords, problemWords } from './words.ts';

test('endings say in words why one is no longer there', () => {
  expect(endingWords('forceDisconnected').title).toBe('You were removed by a moderator');
  expect(endingWords('clientDisconnected').title).toBe('You left the session');
  expect(endingWords('networkDisconnected').text).toContain('network');
  expect(endingWords('mediaIdle').text).toContain('mediaIdle');
  expect(departureWords('forceDisconnected')).toBe('was removed by a moderator');
  expect(departureWords('rotation')).toContain('rotation');
});

test('a problem names its cause and its cure', () => {
  const words = problemWords('connect', { name: 'OT_AUTHENTICATION_ERROR', message: 'The token has expired', code: 1004 });
  expect(words.title).toBe('Could not join');
  expect(words.text).toBe('The token has expired. Ask for a fresh token for this session and this project.');
});

test('a refused camera makes a viewer who is told how to allow it', () => {
  const words = problemWords('publish', { name: 'OT_USER_MEDIA_ACCESS_DENIED', message: 'no' });
  expect(words.title).toContain('viewer');
  expect(words.text).toContain('Allow');
});

test('an unknown problem still says what it is', () => {
  expect(problemWords('signal', { name: 'OT_ODD', message: '' }).text).toBe('OT_ODD.');
});
