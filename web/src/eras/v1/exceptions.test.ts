import { describe, expect, test } from 'vitest';
import { OTError } from '../../errors.ts';
import { exception, misuse, named } from './exceptions.ts';

describe('the exception event', () => {
  test.each([
    ['OT_AUTHENTICATION_ERROR', undefined, 1004, 'Authentication error'],
    ['OT_INVALID_SESSION_ID', undefined, 1005, 'Invalid Session ID'],
    ['OT_CONNECT_FAILED', undefined, 1006, 'Connect Failed'],
    ['OT_CONNECT_FAILED', 1008, 1008, 'Connect Time-out'],
    ['OT_CONNECTION_LIMIT_EXCEEDED', undefined, 1007, 'Connect Rejected'],
    ['OT_STREAM_NOT_FOUND', undefined, 1012, 'Peer-to-peer Stream Play Failed'],
    ['OT_TIMEOUT', undefined, 1013, 'Peer-to-peer Connection Failed'],
    ['OT_ICE_WORKFLOW_FAILED', undefined, 1013, 'Peer-to-peer Connection Failed'],
    ['OT_UNEXPECTED_SERVER_RESPONSE', undefined, 1014, 'API Response Failure'],
    ['OT_PERMISSION_DENIED', 1510, 1510, 'Unable to Signal'],
    ['OT_INVALID_PARAMETER', 1535, 1535, 'Force Unpublish on Invalid Stream'],
    ['OT_USER_MEDIA_ACCESS_DENIED', undefined, 1500, 'Unable to Publish'],
    ['OT_STREAM_LIMIT_EXCEEDED', undefined, 2000, 'Internal Error'],
    ['OT_RATE_LIMIT_EXCEEDED', undefined, 2000, 'Internal Error'],
  ] as const)('of %s (%s) has code %i', (name, given, code, title) => {
    expect(exception(new OTError(name, 'why', given))).toEqual({ code, title });
  });
});

test('what is thrown names the method', () => {
  expect(misuse('Session', 'connect', 'the token is missing').message).toBe('Session.connect: the token is missing.');
  const broken = (): never => {
    throw new OTError('OT_INVALID_PARAMETER', 'There is no such element.');
  };
  expect(() => named('TB', 'initPublisher', broken)).toThrow('TB.initPublisher: There is no such element.');
  expect(() =>
    named('TB', 'initPublisher', () => {
      throw misuse('TB', 'initPublisher', 'no key');
    }),
  ).toThrow(/^TB\.initPublisher: no key\.$/);
  expect(named('TB', 'x', () => 3)).toBe(3);
});
