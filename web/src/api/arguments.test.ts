import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectArguments, idOf, sessionArguments, viewArguments, withoutApiKey } from './arguments.ts';

beforeEach(() => {
  document.body.innerHTML = '<div id="here"></div><div id="123"></div>';
});
afterEach(() => {
  document.body.innerHTML = '';
});

const done = (): void => undefined;

describe('target, properties and handler', () => {
  test.each([
    ['nothing', [], null, {}, undefined],
    ['an id', ['here'], 'here', {}, undefined],
    ['a handler', [done], null, {}, done],
    ['an id and a handler', ['here', done], 'here', {}, done],
    ['properties', [{ name: 'x' }], null, { name: 'x' }, undefined],
    ['properties and a handler', [{ name: 'x' }, done], null, { name: 'x' }, done],
    ['all three', ['here', { name: 'x' }, done], 'here', { name: 'x' }, done],
    ['null and properties', [null, { name: 'x' }], null, { name: 'x' }, undefined],
    ['undefined for everything', [undefined, undefined, undefined], null, {}, undefined],
    ['null for properties', ['here', null, done], 'here', {}, done],
  ])('%s', (_name, args, target, properties, handler) => {
    expect(viewArguments(args)).toEqual({ target, properties, done: handler });
  });

  test('an element', () => {
    const element = document.getElementById('here');
    expect(viewArguments([element, {}]).target).toBe(element);
  });

  test("the application's object is copied", () => {
    const properties = { name: 'x' };
    expect(viewArguments([properties]).properties).not.toBe(properties);
  });
});

describe('a leading API key', () => {
  test.each([
    ['digits that no element has', ['456', 'here'], '456', ['here']],
    ['a number', [456, 'here'], '456', ['here']],
    ['digits that an element has', ['123', {}], undefined, ['123', {}]],
    ['an id', ['nowhere', {}], undefined, ['nowhere', {}]],
    ['nothing', [], undefined, []],
    ['null', [null, {}], undefined, [null, {}]],
  ])('%s', (_name, args, apiKey, rest) => {
    expect(withoutApiKey(args)).toEqual({ apiKey, rest });
  });
});

describe('connect', () => {
  test.each([
    ['a token', ['token'], 'key', undefined, 'token', undefined],
    ['a token and a handler', ['token', done], 'key', undefined, 'token', done],
    ['key and token for a session without key', ['key', 'token'], undefined, 'key', 'token', undefined],
    ['key, token and handler', [456, 'token', done], undefined, '456', 'token', done],
    ["the session's own key again", ['key', 'token'], 'key', 'key', 'token', undefined],
    ['two texts of which the first is not the key', ['token', 'else'], 'key', undefined, 'token', undefined],
    ['an empty key', ['', 'token'], undefined, '', 'token', undefined],
    ['an empty token', ['key', ''], undefined, 'key', '', undefined],
    ['key, token and properties', ['key', 'token', {}], undefined, 'key', 'token', undefined],
  ])('%s', (_name, args, sessionKey, apiKey, token, handler) => {
    expect(connectArguments(args, sessionKey)).toEqual({ apiKey, token, done: handler });
  });
});

test('initSession', () => {
  expect(sessionArguments([12345, 'session'])).toEqual({ apiKey: '12345', sessionId: 'session' });
  expect(sessionArguments(['session'])).toEqual({ apiKey: undefined, sessionId: 'session' });
  expect(sessionArguments(['key', ''])).toEqual({ apiKey: 'key', sessionId: '' });
  expect(sessionArguments(['session', null])).toEqual({ apiKey: undefined, sessionId: 'session' });
  expect(sessionArguments([])).toEqual({ apiKey: undefined, sessionId: undefined });
});

test('ids', () => {
  expect(idOf('x', 'streamId')).toBe('x');
  expect(idOf({ streamId: 'x' }, 'streamId')).toBe('x');
  expect(idOf({ id: 'x' }, 'connectionId')).toBe('x');
  for (const wrong of [null, undefined, '', 7, {}, { streamId: 'x' }])
    expect(idOf(wrong, 'connectionId')).toBeUndefined();
});
