import { describe, expect, test } from 'vitest';
import { encodeFrame, isResult, parseFrame, type ClientBody, type RequestType } from './index.ts';

interface Golden {
  readonly name: string;
  readonly direction: 'client' | 'server';
  readonly frame: readonly unknown[];
}

const files = import.meta.glob<Golden>('../../../contract/examples/signalling/*.json', {
  eager: true,
  import: 'default',
});
const goldens = Object.values(files);
const ofServer = goldens.filter(({ direction }) => direction === 'server');
const ofClient = goldens.filter(({ direction }) => direction === 'client');
const nameOf = ({ name }: Golden): string => name;

test('there are golden messages of both directions', () => {
  expect(ofServer.length).toBeGreaterThan(20);
  expect(ofClient.length).toBeGreaterThan(15);
});

describe('a frame of the server', () => {
  test.each(ofServer.map((golden) => [nameOf(golden), golden] as const))(
    '%s is understood as it stands',
    (_name, { frame }) => {
      const [number, body] = frame;
      expect(parseFrame(JSON.stringify(frame))).toEqual({ number, body });
    },
  );

  test.each(ofServer.map((golden) => [nameOf(golden), golden] as const))(
    '%s is refused without any of its required fields',
    (_name, golden) => {
      const [number, body] = golden.frame as [number, Record<string, unknown>];
      const optional = new Set([
        'snapshot',
        'result',
        'error',
        'from',
        'signalType',
        'data',
        'newValue',
        'oldValue',
        'muted',
        'state',
        'forQuality',
        'archives',
        'subscriptionId',
        'audioRtpTimestamp',
      ]);
      for (const key of Object.keys(body).filter((name) => !optional.has(name))) {
        const { [key]: _gone, ...rest } = body;
        expect(parseFrame(JSON.stringify([number, rest])), key).toBeNull();
      }
    },
  );

  test('fields that this version does not know are ignored', () => {
    expect(parseFrame('[0,{"type":"ping","colour":"red"}]')).not.toBeNull();
  });

  test.each([
    '',
    'x',
    'null',
    '{}',
    '[]',
    '[0]',
    '[0,null]',
    '[0,{}]',
    '["0",{"type":"ping"}]',
    '[0,{"type":"dance"}]',
    '[0,{"type":7}]',
  ])('%j is refused', (text) => {
    expect(parseFrame(text)).toBeNull();
  });
});

describe('a frame to the server', () => {
  test.each(ofClient.map((golden) => [nameOf(golden), golden] as const))(
    '%s is written as it stands',
    (_name, { frame }) => {
      const [id, ack, body] = frame as [number, number, ClientBody];
      expect(JSON.parse(encodeFrame(id, ack, body))).toEqual(frame);
    },
  );
});

test('every golden reply to a request is a lawful result of it', () => {
  const replies = ofServer.filter(({ name }) => name.startsWith('reply_') && !name.startsWith('reply_error'));
  expect(replies.length).toBeGreaterThan(10);
  for (const { name, frame } of replies) {
    const [, body] = frame as [number, { result: unknown }];
    expect(isResult(name.slice('reply_'.length) as RequestType, body.result), name).toBe(true);
  }
  expect(isResult('publish', { answer: 'x' })).toBe(false);
  expect(isResult('subscribe', {})).toBe(false);
  expect(isResult('leave', undefined)).toBe(false);
});
