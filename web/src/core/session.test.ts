import { describe, expect, test } from 'vitest';
import { ANN, BOB, joined, stream } from '../testing/index.ts';
import type { Resumed } from '../wire/index.ts';
import {
  NOT_CONNECTED,
  reduceSession,
  type Fact,
  type SessionEffect,
  type SessionInput,
  type SessionState,
} from './index.ts';

const CLEO = { id: 'cleo', creationTime: 500, data: '' };

/** A session that is fed inputs and remembers what came out. */
class Driven {
  state: SessionState = NOT_CONNECTED;
  readonly effects: SessionEffect[] = [];

  feed(...inputs: readonly SessionInput[]): this {
    for (const input of inputs) {
      const step = reduceSession(this.state, input);
      this.state = step.state;
      this.effects.push(...step.effects);
    }
    return this;
  }

  get facts(): Fact[] {
    return this.effects.flatMap((effect) => (effect.type === 'tell' ? [effect.fact] : []));
  }

  get told(): string[] {
    return this.facts.map(({ type }) => type);
  }
}

const CONNECTED: readonly SessionInput[] = [{ type: 'connect' }, { type: 'joined', message: joined() }];

function connected(...inputs: readonly SessionInput[]): Driven {
  return new Driven().feed(...CONNECTED, ...inputs);
}

function event(number: number, content: Extract<SessionInput, { type: 'event' }>['event']): SessionInput {
  return { type: 'event', number, event: content };
}

function resumed(snapshot?: Resumed['snapshot']): SessionInput {
  const message: Resumed = {
    type: 'resumed',
    resumeKey: 'k',
    epoch: 1,
    bindings: [],
    ...(snapshot === undefined ? {} : { snapshot }),
  };
  return { type: 'resumed', message };
}

const ENDED: SessionInput = { type: 'ended', reason: 'forceDisconnected' };
const FAILED: SessionInput = { type: 'failed', error: { name: 'OT_CONNECT_FAILED', code: 1006, message: 'no' } };

/** State -> how to come to it, and what each input that means something there leads to. */
const TABLE: Readonly<
  Record<
    SessionState['phase'],
    { reach: readonly SessionInput[]; next: Partial<Record<SessionInput['type'], SessionState['phase']>> }
  >
> = {
  disconnected: { reach: [], next: { connect: 'connecting' } },
  connecting: {
    reach: [{ type: 'connect' }],
    next: { joined: 'connected', failed: 'disconnected', disconnect: 'disconnected', ended: 'disconnected' },
  },
  connected: {
    reach: CONNECTED,
    next: { disconnect: 'disconnecting', interrupted: 'reconnecting', ended: 'disconnected' },
  },
  reconnecting: {
    reach: [...CONNECTED, { type: 'interrupted' }],
    next: { disconnect: 'disconnecting', resumed: 'connected', ended: 'disconnected' },
  },
  disconnecting: { reach: [...CONNECTED, { type: 'disconnect' }], next: { ended: 'disconnected' } },
};

const INPUTS: readonly SessionInput[] = [
  { type: 'connect' },
  { type: 'disconnect' },
  { type: 'joined', message: joined() },
  FAILED,
  { type: 'interrupted' },
  resumed(),
  ENDED,
];

describe('phases', () => {
  for (const [phase, { reach, next }] of Object.entries(TABLE)) {
    for (const input of INPUTS) {
      const wanted = next[input.type] ?? phase;
      test(`${input.type} in ${phase} leads to ${wanted}`, () => {
        const session = new Driven().feed(...reach);
        expect(session.state.phase).toBe(phase);
        const before = session.state;
        session.feed(input);
        expect(session.state.phase).toBe(wanted);
        if (next[input.type] === undefined) expect(session.state).toBe(before);
      });
    }
  }
});

describe('joining', () => {
  test('everybody is told by age, the own connection included', () => {
    const session = new Driven().feed(
      { type: 'connect' },
      { type: 'joined', message: joined({ connections: [BOB, ANN, CLEO], streams: [stream('s', 'ann')] }) },
    );
    const [fact] = session.facts;
    expect(fact).toMatchObject({ type: 'connected', own: BOB, connections: [CLEO, ANN, BOB], streams: [{ id: 's' }] });
    expect(session.effects.map(({ type }) => type)).toEqual(['join', 'tell', 'startMedia']);
  });

  test('a refusal is told as such and nothing else', () => {
    expect(new Driven().feed({ type: 'connect' }, FAILED, ENDED).told).toEqual(['connectFailed']);
  });
});

describe('the end is told exactly once after each connected', () => {
  const races: Readonly<Record<string, readonly SessionInput[]>> = {
    'kicked, then the socket closes': [ENDED, { type: 'ended', reason: 'networkDisconnected' }],
    'kicked while leaving': [{ type: 'disconnect' }, ENDED, { type: 'ended', reason: 'clientDisconnected' }],
    'left twice': [
      { type: 'disconnect' },
      { type: 'disconnect' },
      { type: 'ended', reason: 'clientDisconnected' },
      { type: 'disconnect' },
    ],
    'own connection destroyed, then disconnected said': [
      event(11, { type: 'connectionDestroyed', connectionId: 'bob', reason: 'forceDisconnected' }),
      ENDED,
    ],
    'left while interrupted': [
      { type: 'interrupted' },
      { type: 'disconnect' },
      { type: 'ended', reason: 'clientDisconnected' },
      resumed(),
    ],
    'window over, then a late resume': [
      { type: 'interrupted' },
      { type: 'ended', reason: 'networkDisconnected' },
      resumed(),
    ],
  };
  test.each(Object.entries(races))('%s', (_name, inputs) => {
    const session = connected(...inputs);
    expect(session.told.filter((type) => type === 'disconnected')).toHaveLength(1);
    expect(session.state).toEqual(NOT_CONNECTED);
  });

  test('and again after connecting again', () => {
    const session = connected(ENDED, ...CONNECTED, ENDED, ENDED);
    expect(session.told).toEqual(['connected', 'disconnected', 'connected', 'disconnected']);
  });

  test('with the own streams that ended with it, and their ends told no other way', () => {
    const session = connected(
      { type: 'published', stream: stream('mine', 'bob') },
      event(11, { type: 'streamDestroyed', streamId: 'mine', connectionId: 'bob', reason: 'forceDisconnected' }),
      ENDED,
    );
    expect(session.facts.slice(1)).toEqual([
      { type: 'streamCreated', stream: stream('mine', 'bob'), own: true },
      { type: 'disconnected', reason: 'forceDisconnected', ownStreams: ['mine'] },
    ]);
  });

  test('nothing is told between goodbye and the end', () => {
    const session = connected({ type: 'disconnect' }, event(11, { type: 'streamCreated', stream: stream('s', 'ann') }));
    expect(session.told).toEqual(['connected']);
    expect(session.effects.slice(-2)).toEqual([{ type: 'stopMedia' }, { type: 'leave' }]);
  });
});

describe('events', () => {
  test('a number that was handled is not handled again', () => {
    const created = event(11, { type: 'connectionCreated', connection: CLEO });
    expect(connected(created, created, event(10, { type: 'signal', data: 'old' })).told).toEqual([
      'connected',
      'connectionCreated',
    ]);
  });

  test('a connection that is known is not created again, one that is unknown is not destroyed', () => {
    const session = connected(
      event(11, { type: 'connectionCreated', connection: ANN }),
      event(12, { type: 'connectionDestroyed', connectionId: 'nobody', reason: 'clientDisconnected' }),
      event(13, { type: 'streamDestroyed', streamId: 'none', connectionId: 'ann', reason: 'clientDisconnected' }),
    );
    expect(session.told).toEqual(['connected']);
    expect(session.state.number).toBe(13);
  });

  test('a changed property is kept', () => {
    const session = connected(
      event(11, { type: 'streamCreated', stream: stream('s', 'ann') }),
      event(12, {
        type: 'streamPropertyChanged',
        streamId: 's',
        property: 'hasVideo',
        oldValue: true,
        newValue: false,
      }),
    );
    expect(session.state.streams.get('s')?.hasVideo).toBe(false);
    expect(session.told).toEqual(['connected', 'streamCreated', 'streamPropertyChanged']);
  });
});

describe('own streams', () => {
  const created = event(11, { type: 'streamCreated', stream: stream('mine', 'bob') });
  const published: SessionInput = { type: 'published', stream: stream('mine', 'bob') };

  test.each([
    ['reply first', [published, created]],
    ['event first', [created, published]],
  ] as const)('are created once (%s)', (_name, inputs) => {
    expect(connected(...inputs).told).toEqual(['connected', 'streamCreated']);
  });

  test('end once, whoever says so first', () => {
    const gone = event(12, {
      type: 'streamDestroyed',
      streamId: 'mine',
      connectionId: 'bob',
      reason: 'clientDisconnected',
    });
    const unpublished: SessionInput = { type: 'unpublished', streamId: 'mine', reason: 'clientDisconnected' };
    expect(connected(published, unpublished, gone).told).toEqual(['connected', 'streamCreated', 'streamDestroyed']);
    expect(connected(published, gone, unpublished).told).toEqual(['connected', 'streamCreated', 'streamDestroyed']);
  });

  test('that were ended before the reply came are created and destroyed', () => {
    const session = connected(
      event(11, { type: 'streamDestroyed', streamId: 'mine', connectionId: 'bob', reason: 'forceUnpublished' }),
      published,
    );
    expect(session.facts.slice(1)).toEqual([
      { type: 'streamCreated', stream: stream('mine', 'bob'), own: true },
      { type: 'streamDestroyed', streamId: 'mine', own: true, reason: 'forceUnpublished' },
    ]);
  });
});

test('an own stream that is muted before its publication is answered is told so after it is told created', () => {
  const session = connected(event(11, { type: 'streamMuted', streamId: 'mine' }), {
    type: 'published',
    stream: stream('mine', 'bob', { hasAudio: false }),
  });
  expect(session.told).toEqual(['connected', 'streamCreated', 'streamMuted']);
  expect(session.state.mutedEarly.size).toBe(0);
});

describe('after an interruption', () => {
  test('what the log still holds follows as ordinary events', () => {
    const session = connected(
      { type: 'interrupted' },
      resumed(),
      event(11, { type: 'connectionCreated', connection: CLEO }),
    );
    expect(session.told).toEqual(['connected', 'reconnecting', 'reconnected', 'connectionCreated']);
  });

  test('a snapshot is told as what must have happened, ends first', () => {
    const session = connected(
      event(11, { type: 'streamCreated', stream: stream('old', 'ann') }),
      event(12, { type: 'streamCreated', stream: stream('changed', 'ann') }),
      { type: 'published', stream: stream('mine', 'bob') },
      { type: 'interrupted' },
      resumed({
        connections: [BOB, CLEO],
        streams: [stream('changed', 'ann', { hasVideo: false }), stream('new', 'cleo')],
        number: 40,
      }),
    );
    expect(session.facts.slice(5)).toEqual([
      { type: 'reconnected' },
      { type: 'streamDestroyed', streamId: 'old', own: false, reason: 'networkDisconnected' },
      { type: 'streamDestroyed', streamId: 'mine', own: true, reason: 'forceUnpublished' },
      { type: 'connectionDestroyed', connectionId: 'ann', reason: 'networkDisconnected' },
      { type: 'connectionCreated', connection: CLEO },
      { type: 'streamPropertyChanged', streamId: 'changed', property: 'hasVideo', oldValue: true, newValue: false },
      { type: 'streamCreated', stream: stream('new', 'cleo'), own: false },
    ]);
    expect(session.state.number).toBe(40);
  });

  test('a snapshot tells what is different in the shared state, if anything is', () => {
    const session = connected(
      event(11, { type: 'stateChanged', values: { slide: '7', speaker: 'ann', topic: 'cats' } }),
      { type: 'interrupted' },
      resumed({ connections: [BOB], streams: [], number: 40, state: { slide: '8', topic: 'cats' } }),
      { type: 'interrupted' },
      resumed({ connections: [BOB], streams: [], number: 41, state: { slide: '8', topic: 'cats' } }),
    );
    expect(session.facts.filter(({ type }) => type === 'stateChanged')).toEqual([
      { type: 'stateChanged', values: { slide: '7', speaker: 'ann', topic: 'cats' } },
      { type: 'stateChanged', values: { speaker: null, slide: '8' } },
    ]);
    expect([...session.state.shared]).toEqual([
      ['slide', '8'],
      ['topic', 'cats'],
    ]);
  });

  test('a snapshot tells of a mute that was missed', () => {
    const session = connected(
      { type: 'published', stream: stream('mine', 'bob') },
      { type: 'interrupted' },
      resumed({ connections: [BOB], streams: [stream('mine', 'bob', { hasAudio: false })], number: 40, muted: true }),
    );
    expect(session.facts.slice(4).filter(({ type }) => type !== 'connectionDestroyed')).toEqual([
      { type: 'streamMuted', streamId: 'mine' },
      { type: 'streamPropertyChanged', streamId: 'mine', property: 'hasAudio', oldValue: true, newValue: false },
      { type: 'muteForced', active: true },
    ]);
    expect(session.state.muted).toBe(true);
  });
});
