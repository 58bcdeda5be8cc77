import { describe, expect, test } from 'vitest';
import { Call } from './call.ts';
import { connection, error, FakeOpenTok, stream, type FakeSession } from './fake-opentok.ts';
import { Journal } from './journal.ts';
import { MediaElements } from './media-elements.ts';
import { people, tiles } from './people.ts';
import { encodeProfile, parseProfile } from './profile.ts';
import { initialState, reduce, type Dispatch, type State } from './state.ts';

const MODERATOR = { publish: 1, subscribe: 1, forceDisconnect: 1 };
const SUBSCRIBER = { publish: 0, subscribe: 1, forceDisconnect: 0 };
const PUBLISHER_ONLY = { publish: 1, subscribe: 0, forceDisconnect: 0 };
const BOB = connection('bob-id');

/** Ann's playground on an OpenTok of paper. */
class Scene {
  readonly openTok = new FakeOpenTok();
  readonly call: Call;
  state: State = initialState('moderator', 'Ann', true);

  constructor() {
    const dispatch: Dispatch = (change) => {
      this.state = reduce(this.state, change);
    };
    const credentials = { apiKey: '100', sessionId: '1_MX4', token: 'T1==' };
    const now = (): number => 7;
    this.call = new Call({
      openTok: this.openTok, credentials, state: () => this.state, dispatch, elements: new MediaElements(), journal: new Journal(dispatch, now), now,
    });
  }

  get session(): FakeSession {
    return this.openTok.session;
  }

  /** Ann has joined; her camera is not asked for yet to be granted. */
  joined(capabilities = MODERATOR): this {
    this.call.join();
    this.session.welcome('ann-id', capabilities);
    return this;
  }

  withBob(): this {
    this.session.fire('connectionCreated', { connection: BOB });
    this.session.fire('streamCreated', { stream: stream('bob-stream', BOB) });
    return this;
  }

  hears(type: string, data: string, from: typeof BOB | null = BOB): void {
    this.session.fire('signal', { data, from }, `signal:${type}`);
  }

  get toasts(): string[] {
    return this.state.toasts.map(({ words }) => words.title);
  }
}

describe('joining', () => {
  test('uses the token, learns the role, and asks for the camera where the role may publish', () => {
    const scene = new Scene();
    scene.call.join();
    expect(scene.state.phase.name).toBe('connecting');
    expect(scene.session.connects[0]?.token).toBe('T1==');
    scene.session.welcome('ann-id', MODERATOR);
    expect(scene.state).toMatchObject({ phase: { name: 'connected' }, role: 'moderator', me: 'ann-id' });
    expect(scene.openTok.publishers).toHaveLength(1);
    expect(new Scene().joined(SUBSCRIBER).openTok.publishers).toHaveLength(0);
  });

  test('that is refused says why, and may be tried with another token', () => {
    const scene = new Scene();
    scene.call.join();
    scene.session.connects[0]?.finish(error('OT_AUTHENTICATION_ERROR', 'The token has expired'));
    expect(scene.state.phase).toMatchObject({ name: 'failed', words: { title: 'Could not join' } });
    scene.call.join('T2==');
    scene.session.connects[1]?.finish(error('OT_CONNECT_FAILED'));
    scene.call.join();
    expect(scene.session.connects.map(({ token }) => token)).toEqual(['T1==', 'T2==', 'T2==']);
  });

  test('again after the end makes a new picture and keeps what was muted', () => {
    const scene = new Scene().joined();
    scene.call.toggle('audio');
    scene.session.fire('sessionDisconnected', { reason: 'forceDisconnected' });
    expect(scene.state.phase).toEqual({ name: 'left', reason: 'forceDisconnected' });
    expect(scene.openTok.publishers[0]?.isDestroyed).toBe(true);
    scene.joined();
    expect(scene.openTok.publishers[1]?.options.publishAudio).toBe(false);
  });
});

describe('the own media', () => {
  test('are published once the camera is granted, and live once the server has the stream', () => {
    const scene = new Scene().joined();
    const [publisher] = scene.openTok.publishers;
    expect(scene.session.published).toHaveLength(0);
    publisher?.finish();
    expect(scene.session.published[0]?.publisher).toBe(publisher);
    expect(tiles(scene.state)[0]?.playback).toBe('starting');
    scene.session.published[0]?.finish();
    expect(tiles(scene.state)[0]?.playback).toBe('playing');
  });

  test('that the user refuses leave a viewer, who may ask again', () => {
    const scene = new Scene().joined();
    scene.openTok.publishers[0]?.finish(error('OT_USER_MEDIA_ACCESS_DENIED'));
    expect(scene.toasts).toEqual(['You joined as a viewer']);
    expect([tiles(scene.state), scene.state.phase.name]).toEqual([[], 'connected']);
    scene.call.toggle('video');
    expect(scene.openTok.publishers).toHaveLength(2);
  });

  test('do without a camera, then without a microphone, before giving up', () => {
    const scene = new Scene().joined();
    for (const index of [0, 1, 2]) scene.openTok.publishers[index]?.finish(error('OT_NO_DEVICES_FOUND'));
    expect(scene.openTok.publishers.map(({ options }) => [options.audioSource, options.videoSource])).toEqual([
      [undefined, undefined], [undefined, null], [null, undefined],
    ]);
    expect(scene.toasts).toHaveLength(1);
    expect(scene.state.own.state).toBe('off');
  });

  test('mute and unmute', () => {
    const scene = new Scene().joined();
    scene.call.toggle('audio');
    scene.call.toggle('video');
    scene.call.toggle('audio');
    expect(scene.openTok.publishers[0]?.sent).toEqual([['audio', false], ['video', false], ['audio', true]]);
  });

  test('that a moderator stops can be started again', () => {
    const scene = new Scene().joined();
    const own = stream('ann-stream', connection('ann-id'));
    scene.openTok.publishers[0]?.fire('streamCreated', { stream: own });
    scene.openTok.publishers[0]?.fire('streamDestroyed', { stream: own, reason: 'forceUnpublished' });
    expect([scene.state.own.state, scene.state.streams]).toEqual(['off', []]);
    expect(scene.toasts).toEqual(['A moderator stopped your stream']);
  });
});

describe('the others', () => {
  test('are shown by one subscriber a stream, as far as it plays', () => {
    const scene = new Scene().joined().withBob();
    expect(scene.session.subscribers.map(({ streamId }) => streamId)).toEqual(['bob-stream']);
    scene.session.subscribers[0]?.fire('connected', {});
    expect(tiles(scene.state).at(-1)).toMatchObject({ key: 'bob-stream', playback: 'playing' });
    scene.session.fire('streamDestroyed', { stream: stream('bob-stream', BOB), reason: 'clientDisconnected' });
    expect(tiles(scene.state).some(({ key }) => key === 'bob-stream')).toBe(false);
  });

  test('whose picture the network does not bear say so until it is back', () => {
    const scene = new Scene().joined().withBob();
    const [subscriber] = scene.session.subscribers;
    const reception = (): unknown => tiles(scene.state).at(-1)?.reception;
    subscriber?.fire('connected', {});
    subscriber?.fire('videoDisableWarning', {});
    expect(reception()).toBe('poor');
    subscriber?.fire('videoDisableWarningLifted', {});
    expect(reception()).toBe('good');
    subscriber?.fire('videoDisabled', { reason: 'publishVideo' });
    expect(reception()).toBe('good');
    subscriber?.fire('videoDisabled', { reason: 'quality' });
    expect(reception()).toBe('left-out');
    subscriber?.fire('videoEnabled', { reason: 'quality' });
    expect([reception(), scene.state.reception.size]).toEqual(['good', 0]);
  });

  test('are not subscribed to by a role that may not', () => {
    const scene = new Scene().joined(PUBLISHER_ONLY).withBob();
    expect(scene.session.subscribers).toEqual([]);
    expect(scene.session.signals).toEqual([]);
  });

  test('whose stream is refused keep their tile, and the user is told', () => {
    const scene = new Scene().joined().withBob();
    scene.session.subscribers[0]?.finish(error('OT_TIMEOUT'));
    expect(tiles(scene.state).at(-1)?.playback).toBe('refused');
    expect(scene.toasts).toEqual(['A stream could not be shown']);
  });

  test('leave with a reason in the log', () => {
    const scene = new Scene().joined().withBob();
    scene.session.fire('connectionDestroyed', { connection: BOB, reason: 'networkDisconnected' });
    expect(people(scene.state).map(({ id }) => id)).toEqual(['ann-id']);
    expect(scene.state.log.at(-1)).toMatchObject({ type: 'connectionDestroyed', reason: 'networkDisconnected' });
  });

  test('are removed by their connection’s id', () => {
    const scene = new Scene().joined().withBob();
    scene.call.remove('bob-id');
    expect(scene.session.removed).toEqual(['bob-id']);
  });
});

describe('names', () => {
  test('are told to everybody on joining, with the wish to hear theirs', () => {
    const { session } = new Scene().joined();
    expect(session.signals).toHaveLength(1);
    expect(session.signals[0]?.to).toBeUndefined();
    expect(parseProfile(session.signals[0]?.data ?? '')).toEqual({ name: 'Ann', role: 'moderator', asks: true });
  });

  test('are answered to the one who asks, and to nobody who merely tells', () => {
    const scene = new Scene().joined().withBob();
    scene.hears('profile', encodeProfile({ name: 'Bob', role: 'publisher', asks: true }));
    scene.hears('profile', encodeProfile({ name: 'Bobby', role: 'publisher', asks: false }));
    expect(people(scene.state)[1]?.name).toBe('Bobby');
    expect(scene.session.signals.slice(1).map(({ to }) => to)).toEqual([BOB]);
    expect(parseProfile(scene.session.signals[1]?.data ?? '')?.asks).toBe(false);
  });

  test('change for everybody', () => {
    const scene = new Scene().joined();
    scene.call.rename('Anna');
    expect(parseProfile(scene.session.signals.at(-1)?.data ?? '')?.name).toBe('Anna');
    expect(people(scene.state)[0]?.name).toBe('Anna');
  });
});

describe('the chat', () => {
  test('shows own, others’ and the server’s messages under their names, and no other signal', () => {
    const scene = new Scene().joined().withBob();
    scene.call.chat('hello');
    expect(scene.session.signals.at(-1)).toEqual({ type: 'chat', data: 'hello' });
    expect(scene.state.messages).toEqual([]);
    scene.hears('chat', 'hello', connection('ann-id'));
    scene.hears('chat', '<b>hi</b>');
    scene.hears('chat', 'closing soon', null);
    scene.hears('weather', 'rain');
    expect(scene.state.messages.map(({ own, name, text }) => [own, name, text])).toEqual([
      [true, 'Ann', 'hello'], [false, 'bobid', '<b>hi</b>'], [false, 'Server', 'closing soon'],
    ]);
  });
});
