import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { v1, v2 } from '../eras/index.ts';
import { ANN, BOB, errorOf, FakePage, inACall, joined, stream, WITH_ANN } from '../testing/index.ts';
import type { ConnectionEvent, SessionConnectEvent, SignalEvent, StreamEvent } from './events.ts';
import type { Publisher } from './publisher.ts';

beforeEach(() => {
  document.body.innerHTML = '<div id="me"></div><div id="them"></div>';
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  document.body.innerHTML = '';
});

describe('connecting in the second era', () => {
  test('tells sessionConnected, the handler, the own connection, the others by age, then streams', async () => {
    const page = new FakePage(v2);
    page.server.greeting = WITH_ANN;
    const order: string[] = [];
    page.session.on('connectionCreated', ({ connection }: ConnectionEvent) => order.push(connection.connectionId));
    page.session.on('sessionConnected', () => {
      expect(page.session.connection?.connectionId).toBe('bob');
      expect(page.session.capabilities.forceDisconnect).toBe(1);
    });
    const returned = page.session.connect('token', (error: unknown) => page.log.push(`handler ${String(error)}`));
    expect(returned).toBe(page.session);
    expect(page.log).toEqual([]);
    await page.calm();
    expect(page.log).toEqual([
      'session sessionConnected',
      'handler undefined',
      'session connectionCreated',
      'session connectionCreated',
      'session streamCreated',
    ]);
    expect(order).toEqual([BOB.id, ANN.id]);
    expect(page.last<SessionConnectEvent>('sessionConnected')).toMatchObject({
      connections: [],
      streams: [],
      cancelable: false,
      target: page.session,
    });
    expect(page.last<StreamEvent>('streamCreated').stream.connection.connectionId).toBe('ann');
  });

  test('is told before the browser makes a peer connection, which takes it long', async () => {
    const page = new FakePage(v2);
    const peersWhenTold = vi.fn(() => page.world.peers.made.length);
    page.session.on('sessionConnected', peersWhenTold);
    page.session.connect('token');
    await page.calm();
    expect(peersWhenTold).toHaveReturnedWith(0);
    expect(page.world.peers.made).toHaveLength(1);
  });

  test('a stream may be published as soon as it is told', async () => {
    const page = new FakePage(v2);
    const publisher = page.OT.initPublisher('me', { name: 'Bob' });
    await page.calm();
    page.session.on('sessionConnected', () => page.session.publish(publisher));
    page.session.connect('token');
    await page.calm();
    expect(page.world.socket.sent.map(([, , { type }]) => type)).toEqual(['join', 'negotiate', 'publish']);
    expect(page.world.peers.made).toHaveLength(1);
  });

  test('who leaves as soon as it is told makes no peer connection', async () => {
    const page = new FakePage(v2);
    page.session.on('sessionConnected', () => {
      page.session.disconnect();
    });
    page.session.connect('token');
    await page.calm();
    expect(page.log.at(-1)).toBe('session sessionDisconnected clientDisconnected');
    expect(page.world.peers.made).toHaveLength(0);
  });

  test("the socket is the server's own and the token is not in its address", async () => {
    const page = await new FakePage(v2).connected();
    expect(page.world.socket.url).toBe('wss://media.example.org/signalling');
    expect(page.world.socket.of('join')).toMatchObject([{ token: 'token', sessionId: '2_session', apiKey: '12345' }]);
  });

  test('a refusal reaches the handler and exception, and is no sessionDisconnected', async () => {
    const page = new FakePage(v2);
    page.server.silent.add('join');
    const failed = errorOf(page.session.connect.promise('token'));
    await page.calm();
    page.server.notice({ type: 'refused', error: { name: 'OT_AUTHENTICATION_ERROR', code: 1004, message: 'expired' } });
    await page.calm();
    expect(await failed).toMatchObject({ name: 'OT_AUTHENTICATION_ERROR', code: 1004, message: 'expired' });
    expect(page.log).toEqual(['exception 1004']);
  });

  test.each([
    ['the API key', (page: FakePage) => page.OT.initSession('', 's'), 'token', /API key/, 1004],
    ['the session id', (page: FakePage) => page.OT.initSession('1', ''), 'token', /session id/, 1005],
    ['the token', (page: FakePage) => page.session, '', /token/, 1011],
    ['the token that is none', (page: FakePage) => page.session, undefined, /token/, 1011],
  ] as const)('an error names what is empty: %s', async (_name, make, token, words, code) => {
    const page = new FakePage(v2);
    const error = await errorOf(make(page).connect.promise(token));
    expect(error.message).toMatch(words);
    expect(error.code).toBe(code);
  });

  test('twice is one connection, and every handler is called', async () => {
    const page = new FakePage(v2);
    const done = vi.fn();
    page.session.connect('token', done);
    page.session.connect('token', done);
    await page.calm();
    page.session.connect('token', done);
    await page.calm();
    expect(done).toHaveBeenCalledTimes(3);
    expect(page.world.sockets).toHaveLength(1);
  });
});

describe('connecting in the first era', () => {
  test('tells everybody and everything in the arrays of sessionConnected, and only there', async () => {
    const page = new FakePage(v1);
    page.server.greeting = WITH_ANN;
    page.session.connect('token');
    await page.calm();
    expect(page.log).toEqual(['session sessionConnected']);
    const event = page.last<SessionConnectEvent>('sessionConnected');
    expect(event.connections.map(({ connectionId }) => connectionId)).toEqual(['ann', 'bob']);
    expect(event.streams.map(({ streamId }) => streamId)).toEqual(['of-ann']);
    expect(event).toMatchObject({ archives: [], groups: [], cancelable: false });
  });

  test('misuse is thrown', () => {
    const page = new FakePage(v1);
    const session = page.OT.initSession('2_other');
    expect(() => page.OT.initSession('')).toThrow(/session id/);
    expect(() => session.connect('', 'token')).toThrow(/API key/);
    expect(() => session.connect('12345', '')).toThrow(/token/);
    expect(() => session.publish('me')).toThrow(/not connected/);
    expect(() => session.subscribe({ streamId: 's' })).toThrow(/not connected/);
    expect(() => session.signal()).toThrow(/not connected/);
    expect(() => session.unpublish()).toThrow(/Publisher/);
    expect(() => session.getPublisherForStream()).toThrow(/Stream/);
  });

  test('the same id gives the same Session', () => {
    const page = new FakePage(v1);
    expect(page.OT.initSession('2_other')).toBe(page.OT.initSession('2_other'));
    expect(page.OT.initSession('2_session')).toBe(page.session);
  });
});

describe('publishing', () => {
  test.each([
    [v1, ['session streamCreated', 'session streamPropertyChanged']],
    [v2, ['publisher streamCreated', 'handler']],
  ] as const)('is told where the era tells it ($name)', async (era, expected) => {
    const page = await new FakePage(era).connected();
    const publisher = page.OT.initPublisher('me', { name: 'Bob' });
    page.listen(publisher, 'publisher', ['streamCreated']);
    expect(page.session.publish(publisher, era === v2 ? () => page.log.push('handler') : undefined)).toBe(publisher);
    await page.calm();
    await page.flows();
    expect(page.log).toEqual(expected);
    const { stream: own } = page.last<StreamEvent>('streamCreated');
    expect(page.session.getPublisherForStream(own)).toBe(publisher);
    expect(page.session.getPublisherForStream('none')).toBe(era === v1 ? null : undefined);
    expect(publisher.stream).toBe(own);
    expect(publisher.session).toBe(page.session);
    expect(document.getElementById('me')?.dataset['streamCreated']).toBe('true');
  });

  test('from an element id and properties makes the Publisher', async () => {
    const page = await new FakePage(v2).connected();
    const publisher = page.session.publish('me', { name: 'Bob' }) as Publisher;
    await page.calm();
    expect(publisher.id).toBe('me');
    expect(page.world.socket.of('publish')).toMatchObject([
      {
        name: 'Bob',
        hasAudio: true,
        hasVideo: true,
        videoType: 'camera',
        videoDimensions: { width: 640, height: 480 },
      },
    ]);
  });

  test('outside a connection is an error', async () => {
    const page = new FakePage(v2);
    expect(await errorOf(page.session.publish.promise('me'))).toMatchObject({ name: 'OT_NOT_CONNECTED', code: 1010 });
  });

  test('by a role that may not is an error, and nothing is asked of the server', async () => {
    const page = new FakePage(v2);
    page.server.greeting = joined({ role: 'subscriber', capabilities: { ...joined().capabilities, publish: 0 } });
    await page.connected();
    expect(await errorOf(page.session.publish.promise('me'))).toMatchObject({
      name: 'OT_PERMISSION_DENIED',
      code: 1500,
    });
    await page.calm();
    expect(page.log).toEqual(['exception 1500']);
    expect(page.world.socket.of('publish')).toEqual([]);
  });

  test('that the server refuses tells handler and exception, and can be tried again', async () => {
    const page = await new FakePage(v2).connected();
    page.server.refusals.set('publish', { name: 'OT_STREAM_LIMIT_EXCEEDED', code: 1605, message: 'full' });
    const publisher = page.OT.initPublisher('me');
    expect((await errorOf(page.session.publish.promise(publisher))).code).toBe(1605);
    expect(publisher.session).toBeNull();
    page.server.refusals.clear();
    const published = page.session.publish.promise(publisher);
    await page.calm();
    await page.flows();
    expect(await published).toBe(publisher);
  });

  test('without access to a camera tells both handlers and one exception', async () => {
    const page = await new FakePage(v2).connected();
    page.devices.refusesWith = 'NotAllowedError';
    const made = vi.fn();
    const publisher = page.OT.initPublisher('me', made);
    const failed = errorOf(page.session.publish.promise(publisher));
    await page.calm();
    expect((await failed).name).toBe('OT_USER_MEDIA_ACCESS_DENIED');
    expect(made).toHaveBeenCalledWith(expect.objectContaining({ name: 'OT_USER_MEDIA_ACCESS_DENIED', code: 1500 }));
    expect(page.log).toEqual(['exception 1500']);
    expect(document.querySelector('#me [role=alert]')?.textContent).toMatch(/camera/);
  });
});

describe('streams of others', () => {
  test.each([v1, v2])('that end take their Subscribers away ($name)', async (era) => {
    const { page } = await inACall(era);
    page.server.tell({
      type: 'streamDestroyed',
      streamId: 'of-ann',
      connectionId: 'ann',
      reason: 'networkDisconnected',
    });
    await page.calm();
    expect(page.log).toContain('session streamDestroyed networkDisconnected');
    expect(document.querySelectorAll('.OT_subscriber')).toHaveLength(0);
    expect(page.last<StreamEvent>('streamDestroyed')).toMatchObject({
      cancelable: true,
      reason: 'networkDisconnected',
    });
  });

  test('prevented leaves the Subscriber on the page', async () => {
    const { page } = await inACall(v2);
    page.session.on('streamDestroyed', (event: StreamEvent) => {
      event.preventDefault();
    });
    page.server.tell({
      type: 'streamDestroyed',
      streamId: 'of-ann',
      connectionId: 'ann',
      reason: 'clientDisconnected',
    });
    await page.calm();
    expect(document.querySelectorAll('.OT_subscriber')).toHaveLength(1);
  });

  test('keep one object from creation to end, with both names for their id', async () => {
    const { page, subscriber } = await inACall(v2);
    page.server.tell({
      type: 'streamDestroyed',
      streamId: 'of-ann',
      connectionId: 'ann',
      reason: 'clientDisconnected',
    });
    await page.calm();
    const event = page.last<StreamEvent>('streamDestroyed');
    expect(event.stream).toBe(subscriber.stream);
    expect(event.streams).toEqual([event.stream]);
    expect(Object.keys(event.stream)).toEqual(expect.arrayContaining(['streamId', 'id', 'connection']));
  });

  test('a client that leaves ends its streams first, then its connection', async () => {
    const { page } = await inACall(v2);
    page.server.tell({ type: 'streamDestroyed', streamId: 'of-ann', connectionId: 'ann', reason: 'forceDisconnected' });
    page.server.tell({ type: 'connectionDestroyed', connectionId: 'ann', reason: 'forceDisconnected' });
    await page.calm();
    expect(page.log.filter((line) => line.startsWith('session'))).toEqual([
      'session streamDestroyed forceDisconnected',
      'session connectionDestroyed forceDisconnected',
    ]);
    expect(page.last<ConnectionEvent>('connectionDestroyed').connection.data).toBe('name=Ann');
  });

  test('whose client is interrupted tell the Subscriber, and tell it again when it is back', async () => {
    const { page } = await inACall(v2);
    page.server.notice({ type: 'bound', binding: { subscriptionId: 1, epoch: 1, slot: 0, generation: 1 } });
    page.server.tell({
      type: 'streamPropertyChanged',
      streamId: 'of-ann',
      property: 'hasVideo',
      oldValue: true,
      newValue: false,
    });
    await page.calm();
    page.server.tell({ type: 'connectionInterrupted', connectionId: 'ann' });
    page.server.tell({ type: 'connectionRestored', connectionId: 'ann' });
    await page.calm();
    expect(page.log.filter((line) => line.startsWith('subscriber'))).toEqual([
      'subscriber connected',
      'subscriber disconnected',
      'subscriber connected',
    ]);
  });
});

describe('signals', () => {
  test('reach plain and typed listeners, both under the full type', async () => {
    const page = await new FakePage(v2).connected();
    page.server.tell({ type: 'signal', from: 'ann', signalType: 'chat', data: 'hello' });
    page.server.tell({ type: 'signal', data: 'from the server' });
    await page.calm();
    expect(page.log).toEqual(['session signal:chat', 'session signal:chat', 'session signal']);
    expect(page.last<SignalEvent>('signal:chat')).toMatchObject({ data: 'hello', from: { connectionId: 'ann' } });
    expect(page.last<SignalEvent>('signal').from).toBeNull();
  });

  test('in the first era are signalReceived as well', async () => {
    const page = await new FakePage(v1).connected();
    page.server.tell({ type: 'signal', from: 'stranger' });
    await page.calm();
    expect(page.log).toEqual(['session signal', 'session signalReceived']);
    expect(page.last<SignalEvent>('signalReceived').fromConnection?.connectionId).toBe('stranger');
  });

  test('are sent with type, data and receiver', async () => {
    const page = await new FakePage(v2).connected();
    await page.session.signal({ type: 'chat', data: 'hi', to: page.session.connection });
    await page.session.signal();
    expect(page.world.socket.of('signal')).toEqual([
      { type: 'signal', to: 'bob', signalType: 'chat', data: 'hi' },
      { type: 'signal' },
    ]);
  });

  test.each([
    ['a type with a blank', { type: 'a b' }, 400],
    ['a type that is too long', { type: 'x'.repeat(129) }, 413],
    ['data that is too long', { data: 'é'.repeat(4097) }, 413],
    ['data that is no text', { data: { a: 1 } }, 400],
    ['data that is null', { data: null }, 400],
    ['a receiver that is none', { to: {} }, 400],
  ])('%s is refused here', async (_name, signal, code) => {
    const page = await new FakePage(v2).connected();
    const done = vi.fn();
    const error = await errorOf(page.session.signal(signal, done));
    expect(error).toMatchObject({ name: 'OT_INVALID_PARAMETER', code, signal });
    await page.calm();
    expect(done).toHaveBeenCalledWith(error);
    expect(page.world.socket.of('signal')).toEqual([]);
  });

  test('of a subscriber are refused in the first era alone', async () => {
    for (const [era, sent] of [
      [v1, 0],
      [v2, 1],
    ] as const) {
      const page = new FakePage(era);
      page.server.greeting = joined({ role: 'subscriber', capabilities: { ...joined().capabilities, publish: 0 } });
      await page.connected();
      void page.session.signal();
      await page.calm();
      expect(page.world.socket.of('signal')).toHaveLength(sent);
      expect(page.log).toEqual(era === v1 ? ['exception 1510'] : []);
    }
  });
});

describe('moderation', () => {
  test('takes objects and ids', async () => {
    const { page, subscriber } = await inACall(v2);
    await page.session.forceDisconnect(subscriber.stream?.connection);
    await page.session.forceDisconnect('ann');
    await page.session.forceUnpublish(subscriber.stream);
    expect(page.world.socket.of('forceDisconnect')).toEqual([
      { type: 'forceDisconnect', connectionId: 'ann' },
      { type: 'forceDisconnect', connectionId: 'ann' },
    ]);
    expect(page.world.socket.of('forceUnpublish')).toEqual([{ type: 'forceUnpublish', streamId: 'of-ann' }]);
  });

  test('that the role does not allow tells handler and exception', async () => {
    const page = await new FakePage(v2).connected();
    page.server.refusals.set('forceDisconnect', { name: 'OT_PERMISSION_DENIED', code: 1520, message: 'no' });
    const done = vi.fn();
    await errorOf(page.session.forceDisconnect('ann', done));
    await page.calm();
    expect(done).toHaveBeenCalledWith(expect.objectContaining({ code: 1520 }));
    expect(page.log).toEqual(['exception 1520']);
  });

  test('of nobody is an error', async () => {
    const page = await new FakePage(v2).connected();
    expect((await errorOf(page.session.forceDisconnect({}))).name).toBe('OT_INVALID_PARAMETER');
  });
});

describe('muting by force', () => {
  test('asks for one stream, for all but some, and for the end of it', async () => {
    const { page, subscriber } = await inACall(v2);
    await page.session.forceMuteStream(subscriber.stream);
    await page.session.forceMuteAll();
    await page.session.forceMuteAll([subscriber.stream, 'another']);
    await page.session.disableForceMute();
    expect(page.world.socket.of('forceMuteStream')).toEqual([{ type: 'forceMuteStream', streamId: 'of-ann' }]);
    expect(page.world.socket.of('forceMuteAll').map(({ excludedStreamIds }) => excludedStreamIds)).toEqual([
      [],
      ['of-ann', 'another'],
    ]);
    expect(page.world.socket.of('disableForceMute')).toHaveLength(1);
    expect((await errorOf(page.session.forceMuteStream())).name).toBe('OT_INVALID_PARAMETER');
    expect((await errorOf(page.session.forceMuteAll({}))).name).toBe('OT_INVALID_PARAMETER');
    expect((await errorOf(page.session.forceMuteAll([{}]))).name).toBe('OT_INVALID_PARAMETER');
  });

  test('that the role does not allow is refused', async () => {
    const page = await new FakePage(v2).connected();
    for (const request of ['forceMuteStream', 'forceMuteAll', 'disableForceMute'])
      page.server.refusals.set(request, { name: 'OT_PERMISSION_DENIED', code: 1540, message: 'no' });
    for (const work of [
      page.session.forceMuteStream('s'),
      page.session.forceMuteAll(),
      page.session.disableForceMute(),
    ])
      expect(await errorOf(work)).toMatchObject({ name: 'OT_PERMISSION_DENIED', code: 1540 });
  });

  test('of an own stream mutes its Publisher and tells it', async () => {
    const { page, publisher } = await inACall(v2);
    page.listen(publisher, 'publisher', ['muteForced']);
    page.server.tell({ type: 'streamMuted', streamId: 'own-1' });
    await page.calm();
    expect(page.takeLog()).toEqual(['publisher muteForced']);
    expect(publisher.getAudioSource()?.enabled).toBe(false);
    expect(publisher.element?.querySelector('.OT_mute')?.classList.contains('OT_active')).toBe(true);
    publisher.publishAudio(true);
    expect(publisher.getAudioSource()?.enabled).toBe(true);
  });

  test('that a stream began with is told late, and mutes nobody who was unmuted since', async () => {
    const page = await new FakePage(v2).connected();
    page.server.tell({ type: 'muteForced', active: true });
    await page.calm();
    const publisher = page.session.publish();
    await page.flows();
    publisher.publishAudio(true);
    page.listen(publisher, 'publisher', ['muteForced']);
    page.server.tell({ type: 'streamMuted', streamId: 'own-1' });
    await page.calm();
    expect(page.takeLog()).toEqual(['publisher muteForced']);
    expect(publisher.getAudioSource()?.enabled).toBe(true);
    page.server.tell({ type: 'streamMuted', streamId: 'own-1' });
    await page.calm();
    expect(publisher.getAudioSource()?.enabled).toBe(false);
  });

  test('mutes a stream that began in a silence which the server had ended', async () => {
    const page = await new FakePage(v2).connected();
    page.server.tell({ type: 'muteForced', active: true });
    await page.calm();
    const publisher = page.session.publish();
    await page.calm();
    expect(page.world.socket.of('publish')[0]).toMatchObject({ hasAudio: false });
    page.server.tell({ type: 'muteForced', active: false });
    await page.flows();
    publisher.publishAudio(true);
    page.server.tell({ type: 'streamMuted', streamId: 'own-1' });
    await page.calm();
    expect(publisher.getAudioSource()?.enabled).toBe(false);
  });

  test('of the session is told, and streams published meanwhile begin without sound', async () => {
    const page = await new FakePage(v2).connected();
    page.listen(page.session, 'session', ['muteForced']);
    page.server.tell({ type: 'muteForced', active: true });
    await page.calm();
    expect(page.takeLog()).toEqual(['session muteForced']);
    expect(page.last('muteForced')).toMatchObject({ active: true, cancelable: false });
    page.session.publish();
    await page.calm();
    await page.flows();
    expect(page.world.socket.of('publish')[0]).toMatchObject({ hasAudio: false });
    page.server.tell({ type: 'muteForced', active: false });
    await page.calm();
    expect(page.last('muteForced')).toMatchObject({ active: false });
    page.session.publish();
    await page.calm();
    expect(page.world.socket.of('publish')[1]).toMatchObject({ hasAudio: true });
  });

  test('is told after the streams to who joins a muted session, and not to pages of the first era', async () => {
    for (const era of [v1, v2]) {
      const page = new FakePage(era);
      page.server.greeting = joined({ muted: true, streams: [stream('of-ann', 'ann')] });
      page.listen(page.session, 'session', ['muteForced']);
      page.session.connect('token');
      await page.calm();
      expect(page.log.at(-1)).toBe(era === v2 ? 'session muteForced' : 'session sessionConnected');
    }
  });
});
