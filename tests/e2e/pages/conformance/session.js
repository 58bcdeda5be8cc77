// Sections 3, 4, 7, 10, 11: sessions, connections, streams, capabilities, signals, roles.
check('session-properties', async (t) => {
  const sessionId = await t.makeSession();
  const session = OT.initSession(apiKey, sessionId);
  t.equal(session.connection, undefined, 'connection before');
  t.equal([session.isConnected(), session.connected, session.is('connected'), session.currentState], [false, false, false, 'disconnected'], 'the state before');
  t.equal(session.capabilities.publish, undefined, 'capabilities before');
  const token = await t.makeToken(sessionId, 'publisher', 'name=Ann');
  t.ok(session.connect(token) === session, 'connect() returns the session');
  t.equal(session.currentState, 'connecting', 'the state meanwhile');
  await t.next(session, 'sessionConnected');
  t.equal([session.isConnected(), session.connected, session.is('connected'), session.token], [true, true, true, token], 'the state after');
  const { connection } = session;
  t.equal(connection.connectionId, connection.id, 'id is an alias');
  t.ok(/^[0-9a-f-]{36}$/.test(connection.id), 'the id is a UUID');
  t.ok(Math.abs(connection.creationTime - Date.now()) < 60_000, 'creationTime is in ms');
  t.equal(connection.data, 'name=Ann', 'data');
  await session.disconnect();
  t.equal([session.connection, session.isConnected(), session.currentState], [undefined, false, 'disconnected'], 'after disconnect');
});

check('connect-order', async (t) => {
  const sessionId = await t.makeSession();
  const ann = await t.other(sessionId, 'publisher', 'ann');
  const hers = await ann.OT.initPublisher.promise(ann.window.document.body, { insertMode: 'append', videoSource: null });
  await ann.session.publish.promise(hers);
  const session = OT.initSession(apiKey, sessionId);
  const told = [];
  for (const type of ['sessionConnected', 'connectionCreated', 'streamCreated', 'muteForced'])
    session.on(type, (event) => {
      t.ok(event.target === session, `target of ${type}`);
      if (type === 'sessionConnected') t.equal([event.connections, event.streams], [[], []], 'the arrays of sessionConnected');
      if (type === 'connectionCreated') t.equal(event.connections, [event.connection], 'connections');
      if (type === 'streamCreated') t.ok(event.streams[0] === event.stream, 'streams');
      told.push(type + (event.connection ? (event.connection.id === session.connection.id ? ' own' : ' other') : ''));
    });
  session.connect(await t.makeToken(sessionId), (error) => told.push(`handler ${error}`));
  await t.until(() => told.includes('streamCreated'), 'streamCreated');
  t.equal(told, ['sessionConnected', 'handler undefined', 'connectionCreated own', 'connectionCreated other', 'streamCreated']);
  await session.disconnect();
});

check('connect-errors', async (t) => {
  const told = t.exceptions();
  const sessionId = await t.makeSession();
  const fails = async (token, name, code, id = sessionId) => {
    const session = OT.initSession(apiKey, id);
    let disconnected = false;
    session.on('sessionDisconnected', () => (disconnected = true));
    const [error] = await t.handled((done) => session.connect(token, done));
    t.isError(error, name, code);
    const raised = () => told.find((event) => event.code === code && event.target === session);
    await t.until(() => raised() !== undefined, `exception ${code}`);
    t.ok(raised().title && raised().message, 'exception has title and message');
    t.ok(!disconnected, 'no sessionDisconnected');
    t.ok(!session.isConnected(), 'not connected');
    return session;
  };
  await fails('T1==nonsense', 'OT_AUTHENTICATION_ERROR', 1004);
  await fails(await t.makeToken(sessionId, 'publisher', '', { expiresIn: -60 }), 'OT_AUTHENTICATION_ERROR', 1004);
  await fails(await t.makeToken(await t.makeSession()), 'OT_AUTHENTICATION_ERROR', 1004);
  for (const token of [undefined, null, '', 5, {}]) await fails(token, 'OT_INVALID_PARAMETER', 1011);
  await fails(await t.makeToken(sessionId), 'OT_INVALID_SESSION_ID', 1005, 'nonsense');
  const made = '1_MX4' + 'x'.repeat(40);
  await fails(await t.makeToken(made), 'OT_INVALID_SESSION_ID', 1005, made);
  const session = OT.initSession(apiKey, sessionId);
  await session.connect.promise(await t.makeToken(sessionId));
  t.ok(session.isConnected(), 'the same object can be connected after failures');
  await session.disconnect();
});

check('connect-unreachable', async (t) => {
  const frame = document.createElement('iframe');
  frame.src = '/frame.html';
  document.body.append(frame);
  t.cleanups.push(() => frame.remove());
  await new Promise((resolve) => (frame.onload = resolve));
  const theirs = frame.contentWindow.OT;
  theirs.setServerUrl('http://127.0.0.1:9');
  const session = theirs.initSession(apiKey, await t.makeSession());
  const [error] = await t.handled((done) => session.connect('token', done));
  t.equal([error.name, error.code], ['OT_CONNECT_FAILED', 1006], 'the error');
});

check('connect-twice', async (t) => {
  const sessionId = await t.makeSession();
  const session = OT.initSession(apiKey, sessionId);
  const token = await t.makeToken(sessionId);
  let connected = 0;
  session.on('sessionConnected', () => (connected += 1));
  const first = t.handled((done) => session.connect(token, done));
  const second = t.handled((done) => session.connect(token, done));
  t.equal([(await first)[0], (await second)[0]], [undefined, undefined], 'both handlers succeed');
  const [third] = await t.handled((done) => session.connect(token, done));
  t.ok(!third, 'connected already is no error');
  t.equal(connected, 1, 'sessionConnected');
  await session.disconnect();
  await session.disconnect();
});

check('reconnect-one-object', async (t) => {
  const sessionId = await t.makeSession();
  const session = OT.initSession(apiKey, sessionId);
  const ids = new Set();
  let ended = 0;
  session.on('sessionDisconnected', (event) => {
    t.equal([event.reason, event.cancelable], ['clientDisconnected', true], 'the reason');
    ended += 1;
  });
  for (let round = 0; round < 5; round += 1) {
    await session.connect.promise(await t.makeToken(sessionId));
    ids.add(session.connection.id);
    await session.disconnect();
  }
  t.equal([ids.size, ended], [5, 5], 'connections and ends');
});

check('roles', async (t) => {
  const expected = {
    subscriber: { publish: 0, subscribe: 1, forceDisconnect: 0, forceUnpublish: 0, forceMute: 0 },
    publisher: { publish: 1, subscribe: 1, forceDisconnect: 0, forceUnpublish: 0, forceMute: 0 },
    publisheronly: { publish: 1, subscribe: 0, forceDisconnect: 0, forceUnpublish: 0, forceMute: 0 },
    moderator: { publish: 1, subscribe: 1, forceDisconnect: 1, forceUnpublish: 1, forceMute: 1 },
  };
  const sessionId = await t.makeSession();
  const mona = await t.other(sessionId, 'moderator');
  const theirs = await mona.OT.initPublisher.promise(mona.window.document.body, { insertMode: 'append', videoSource: null });
  await mona.session.publish.promise(theirs);
  for (const [role, rights] of Object.entries(expected)) {
    const session = OT.initSession(apiKey, sessionId);
    const created = t.next(session, 'streamCreated');
    await session.connect.promise(await t.makeToken(sessionId, role));
    for (const [right, value] of Object.entries(rights)) t.equal(session.capabilities[right], value, `${right} of ${role}`);
    const { stream } = await created;
    if (role !== 'moderator') {
      await t.rejected(session.forceDisconnect(mona.session.connection.id), 'OT_PERMISSION_DENIED', 1520);
      await t.rejected(session.forceUnpublish(stream), 'OT_PERMISSION_DENIED', 1530);
      await t.rejected(session.forceMuteStream(stream), 'OT_PERMISSION_DENIED', 1540);
      await t.rejected(session.forceMuteAll(), 'OT_PERMISSION_DENIED', 1540);
      await t.rejected(session.disableForceMute(), 'OT_PERMISSION_DENIED', 1540);
    }
    if (rights.publish === 0) {
      const publisher = t.publisher({ videoSource: t.canvasTrack(), audioSource: null });
      const [error] = await t.handled((done) => session.publish(publisher, done));
      t.isError(error, 'OT_PERMISSION_DENIED', 1500);
    }
    if (rights.subscribe === 0) {
      const [error] = await t.handled((done) => session.subscribe(stream, t.box(), done));
      t.equal(error.name, 'OT_PERMISSION_DENIED', 'subscribing');
      await t.rejected(session.signal({ data: 'x' }), 'OT_PERMISSION_DENIED', 1510);
    } else await session.signal({ data: 'x' });
    await session.disconnect();
  }
  t.ok(mona.session.isConnected() && theirs.stream, 'nothing has happened to the moderator');
});

check('moderation-errors', async (t) => {
  const session = await t.connected('moderator');
  await t.rejected(session.forceDisconnect('nobody'), 'OT_NOT_FOUND', 404);
  await t.rejected(session.forceDisconnect(), 'OT_INVALID_PARAMETER', 1011);
  await t.rejected(session.forceDisconnect(5), 'OT_INVALID_PARAMETER', 1011);
  await t.rejected(session.forceUnpublish('nothing'), 'OT_INVALID_PARAMETER', 1535);
  await t.rejected(session.forceUnpublish({}), 'OT_INVALID_PARAMETER', 1011);
  await t.rejected(session.forceMuteStream('nothing'), 'OT_STREAM_NOT_FOUND', 1600);
  await t.rejected(session.forceMuteAll('all'), 'OT_INVALID_PARAMETER', 1011);
  const [error] = await t.handled((done) => session.forceDisconnect('nobody', done));
  t.isError(error, 'OT_NOT_FOUND', 404);
});

check('outside-a-connection', async (t) => {
  const told = t.exceptions();
  const session = OT.initSession(apiKey, await t.makeSession());
  const publisher = t.publisher({ videoSource: t.canvasTrack(), audioSource: null });
  const [publish] = await t.handled((done) => session.publish(publisher, done));
  t.isError(publish, 'OT_NOT_CONNECTED', 1010);
  const [subscribe] = await t.handled((done) => session.subscribe({ streamId: 'x' }, t.box(), done));
  t.isError(subscribe, 'OT_NOT_CONNECTED', 1010);
  for (const work of [session.signal({}), session.forceDisconnect('x'), session.forceUnpublish('x'), session.forceMuteAll(), publisher.getStats()])
    await t.rejected(work, 'OT_NOT_CONNECTED', 1010);
  await t.until(() => told.filter((event) => event.code === 1010).length >= 2, 'exceptions');
  t.equal(session.unpublish(publisher), undefined, 'unpublish()');
  t.equal(session.getSubscribersForStream({ streamId: 'x' }), [], 'getSubscribersForStream()');
  t.equal(session.getPublisherForStream({ streamId: 'x' }), undefined, 'getPublisherForStream()');
  await session.connect.promise(await t.makeToken(session.sessionId));
  await session.publish.promise(publisher);
  t.ok(publisher.stream, 'the same objects work afterwards');
  await session.disconnect();
});

check('kicked', async (t) => {
  const sessionId = await t.makeSession();
  const session = await t.connected('publisher', { sessionId });
  const mona = await t.other(sessionId, 'moderator');
  const publisher = await t.published(session, { videoSource: t.canvasTrack(), audioSource: null });
  const told = [];
  session.on('sessionDisconnected', (event) => told.push(`session ${event.reason}`));
  publisher.on('streamDestroyed', (event) => told.push(`publisher ${event.reason}`));
  publisher.on('destroyed', () => told.push('destroyed'));
  const streamGone = t.next(mona.session, 'streamDestroyed');
  const gone = t.next(mona.session, 'connectionDestroyed');
  await mona.session.forceDisconnect(session.connection.id);
  t.equal((await streamGone).reason, 'forceDisconnected', 'the reason of the stream');
  t.equal((await gone).reason, 'forceDisconnected', 'the reason of the connection');
  await t.until(() => told.length === 3, 'all is told');
  t.equal(told, ['session forceDisconnected', 'publisher forceDisconnected', 'destroyed']);
});

check('force-unpublished', async (t) => {
  const sessionId = await t.makeSession();
  const session = await t.connected('publisher', { sessionId });
  const mona = await t.other(sessionId, 'moderator');
  const seen = t.next(mona.session, 'streamCreated');
  const publisher = await t.published(session, { videoSource: t.canvasTrack(), audioSource: null });
  const { stream } = await seen;
  publisher.once('streamDestroyed', (event) => {
    t.equal([event.reason, event.cancelable, event.stream.id], ['forceUnpublished', true, stream.id], 'the event');
    event.preventDefault();
  });
  const ended = t.next(publisher, 'streamDestroyed');
  await mona.session.forceUnpublish(stream);
  await ended;
  await t.until(() => publisher.stream === undefined, 'the stream is gone');
  t.ok(publisher.element.isConnected, 'the prevented publisher stays');
  await session.publish.promise(publisher);
  t.ok(publisher.stream.id !== stream.id, 'it can be published again');
});

check('signals', async (t) => {
  const sessionId = await t.makeSession();
  const session = await t.connected('publisher', { sessionId });
  const ann = await t.other(sessionId);
  const heard = [];
  session.on('signal', (event) => heard.push(['any', event.type, event.data, event.from.id]));
  session.on('signal:chat', (event) => heard.push(['chat', event.type, event.data, event.from.id]));
  await ann.session.signal({ type: 'chat', data: 'hello' });
  await ann.session.signal({ data: 'untyped' });
  await ann.session.signal();
  await t.until(() => heard.length === 4, 'the signals');
  const from = ann.session.connection.id;
  t.equal(heard, [['any', 'signal:chat', 'hello', from], ['chat', 'signal:chat', 'hello', from], ['any', 'signal', 'untyped', from], ['any', 'signal', undefined, from]]);
  t.ok(session.connections.find({ id: from }), 'from is a connection of the session');
  heard.length = 0;
  const [error] = await t.handled((done) => session.signal({ type: 'chat', data: 'to me', to: session.connection }, done));
  t.ok(!error, 'the sender may be the receiver');
  await t.until(() => heard.length === 2, 'the own signal');
});

check('signal-limits', async (t) => {
  const session = await t.connected();
  const bad = async (signal, code, name = 'OT_INVALID_PARAMETER') => {
    const error = await t.rejected(session.signal(signal), name, code);
    t.ok(error.signal === signal, 'the error has the signal');
  };
  await session.signal({ type: 'Aa0-_~'.repeat(21), data: 'x'.repeat(8192) });
  await session.signal({ data: '\u20ac'.repeat(2730) });
  await bad({ data: 'x'.repeat(8193) }, 413);
  await bad({ data: '\u20ac'.repeat(2731) }, 413);
  await bad({ type: 't'.repeat(129) }, 413);
  await bad({ type: 'with space' }, 400);
  await bad({ type: '<b>' }, 400);
  await bad({ data: { a: 1 } }, 400);
  await bad({ data: 5 }, 400);
  await bad({ to: {} }, 400);
  await bad({ to: { connectionId: 'b7d0a3c2-1d5e-4c7b-9a66-2f1f0e8d9c3b' }, data: 'x' }, 404, 'OT_NOT_FOUND');
});

check('signal-rate', async (t) => {
  const session = await t.connected();
  const results = await Promise.allSettled(Array.from({ length: 130 }, (_, n) => session.signal({ data: String(n) })));
  const refused = results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
  t.ok(refused.length > 0 && refused.length <= 40, `some are refused, not ${refused.length}`);
  t.isError(refused[0], 'OT_RATE_LIMIT_EXCEEDED', 429);
  t.ok(session.isConnected(), 'the session goes on');
});

check('identity', async (t) => {
  const sessionId = await t.makeSession();
  const session = await t.connected('publisher', { sessionId });
  const created = t.next(session, 'connectionCreated');
  const streamed = t.next(session, 'streamCreated');
  const ann = await t.other(sessionId, 'publisher', 'ann');
  const { connection } = await created;
  const hers = await ann.OT.initPublisher.promise(ann.window.document.body, { insertMode: 'append', audioSource: null, name: 'A', initials: 'AB' });
  await ann.session.publish.promise(hers);
  const { stream } = await streamed;
  t.ok(stream.connection === connection, 'the connection of the stream is the object that was told');
  t.equal([stream.id, stream.name, stream.initials, stream.hasAudio, stream.hasVideo, stream.hasCaptions, stream.videoType, stream.frameRate],
    [stream.streamId, 'A', 'AB', false, true, false, 'camera', undefined], 'the stream');
  t.ok(stream.videoDimensions.width > 0 && Math.abs(stream.creationTime - Date.now()) < 60_000, 'size and time');
  const onStream = t.next(stream, 'streamPropertyChanged');
  const changed = t.next(session, 'streamPropertyChanged');
  hers.publishVideo(false);
  const event = await changed;
  t.ok(event.stream === stream, 'the stream of streamPropertyChanged');
  t.equal([event.changedProperty, event.oldValue, event.newValue, event.cancelable, stream.hasVideo], ['hasVideo', true, false, false, false], 'the change');
  t.ok((await onStream).target === stream, 'the Stream tells it as well');
  const signalled = t.next(session, 'signal');
  await ann.session.signal({});
  t.ok((await signalled).from === connection, 'from is the same object');
  const gone = t.next(session, 'streamDestroyed');
  const left = t.next(session, 'connectionDestroyed');
  await ann.session.disconnect();
  t.ok((await gone).stream === stream, 'the stream that is destroyed');
  t.equal([(await gone).reason, (await gone).cancelable], ['clientDisconnected', true], 'streamDestroyed');
  t.ok((await left).connection === connection && (await left).reason === 'clientDisconnected', 'connectionDestroyed');
});

check('own-stream', async (t) => {
  const session = await t.connected();
  const told = [];
  session.on('streamCreated streamDestroyed', (event) => told.push(event.type));
  const changed = t.next(session, 'streamPropertyChanged');
  const publisher = t.publisher({ videoSource: t.canvasTrack(), audioSource: t.toneTrack() });
  const created = t.next(publisher, 'streamCreated');
  const order = [];
  publisher.on('streamCreated', () => order.push('streamCreated'));
  t.ok(session.publish(publisher, () => order.push('handler')) === publisher, 'publish() returns the Publisher');
  const { stream, target } = await created;
  t.ok(target === publisher && publisher.stream === stream && publisher.session === session, 'stream and session');
  await t.until(() => order.length === 2, 'the handler');
  t.equal(order, ['streamCreated', 'handler'], 'the order');
  t.equal(stream.videoType, 'custom', 'videoType');
  t.ok(session.getPublisherForStream(stream) === publisher, 'getPublisherForStream');
  publisher.publishAudio(false);
  const event = await changed;
  t.equal([event.changedProperty, event.newValue, event.stream.id], ['hasAudio', false, stream.id], 'own property changes are told');
  const ended = t.next(publisher, 'streamDestroyed');
  session.unpublish(publisher);
  t.equal((await ended).reason, 'clientDisconnected', 'the reason');
  t.ok((await ended).stream === stream, 'the stream');
  t.equal(told, [], 'the Session tells nothing of own streams');
});

check('publish-twice', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session, { videoSource: t.canvasTrack(), audioSource: null });
  const [again] = await t.handled((done) => session.publish(publisher, done));
  t.ok(!again, 'publishing again is no error');
  const second = await t.connected();
  const [elsewhere] = await t.handled((done) => second.publish(publisher, done));
  t.isError(elsewhere, 'OT_INVALID_PARAMETER', 1011);
  t.ok(publisher.session === session, 'it stays where it was');
});

check('publish-makes-a-publisher', async (t) => {
  const session = await t.connected();
  const box = t.box();
  const publisher = session.publish(box, { videoSource: t.canvasTrack(), audioSource: null, name: 'made' });
  t.cleanups.push(() => publisher.destroy());
  t.ok(publisher.element === box, 'the element');
  t.equal((await t.next(publisher, 'streamCreated')).stream.name, 'made', 'the name');
});

check('kept-publisher', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session);
  publisher.once('streamDestroyed', (event) => event.preventDefault());
  await session.disconnect();
  await t.until(() => publisher.stream === undefined, 'the stream is gone');
  t.ok(publisher.element.isConnected && !publisher.session, 'the element stays');
  t.equal(publisher.getVideoSource().track.readyState, 'live', 'the camera goes on');
  const second = await t.connected();
  await second.publish.promise(publisher);
  const subscriber = await second.subscribe.promise(publisher.stream, t.box());
  await t.until(() => subscriber.videoWidth() > 0, 'a picture arrives elsewhere');
});

check('subscribe-errors', async (t) => {
  const session = await t.connected();
  for (const stream of [undefined, null, 'text', {}]) {
    const [error] = await t.handled((done) => session.subscribe(stream, t.box(), done));
    t.isError(error, 'OT_INVALID_PARAMETER', 1011);
  }
  const publisher = await t.published(session, { videoSource: t.canvasTrack(), audioSource: null });
  const { stream } = publisher;
  const [missing] = await t.handled((done) => session.subscribe(stream, 'no such element', done));
  t.isError(missing, 'OT_INVALID_PARAMETER', 1011);
  const subscriber = session.subscribe(stream, t.box());
  t.ok(session.getSubscribersForStream(stream)[0] === subscriber, 'getSubscribersForStream');
  const destroyed = t.next(subscriber, 'destroyed');
  t.equal(session.unsubscribe(subscriber) !== undefined, true, 'unsubscribe()');
  await destroyed;
  t.equal(session.getSubscribersForStream(stream), [], 'no subscriber is left');
  const gone = t.next(publisher, 'destroyed');
  session.unpublish(publisher);
  await gone;
  const [error] = await t.handled((done) => session.subscribe(stream, t.box(), done));
  t.ok(['OT_STREAM_NOT_FOUND', 'OT_STREAM_DESTROYED'].includes(error.name), error.name);
});

check('foreign-stream', async (t) => {
  const first = await t.connected();
  const second = await t.connected();
  const mona = await t.connected('moderator');
  const publisher = await t.published(first, { videoSource: t.canvasTrack(), audioSource: null });
  const exceptions = t.exceptions();
  // Each failure is told to whoever asked and, once, as an `exception` with the object concerned.
  const isTold = async (code, target) => {
    await t.until(() => exceptions.length > 0, `the exception ${code}`);
    const [event, ...more] = exceptions.splice(0);
    t.equal(more.length, 0, 'further exceptions');
    t.equal(event.code, code, 'the code of the exception');
    t.ok(event.title && event.message, 'the exception has a title and a message');
    t.ok(target === undefined ? event.target && event.target !== OT : event.target === target, 'the target of the exception');
  };
  let subscriber;
  const [error] = await t.handled((done) => (subscriber = second.subscribe(publisher.stream, t.box(), done)));
  t.isError(error, 'OT_STREAM_NOT_FOUND', 1600);
  await isTold(1600, subscriber);
  await t.rejected(second.subscribe.promise(publisher.stream, t.box()), 'OT_STREAM_NOT_FOUND', 1600);
  await isTold(1600);
  for (const failed of second.getSubscribersForStream(publisher.stream)) second.unsubscribe(failed);
  t.equal(second.getSubscribersForStream(publisher.stream).length, 0, 'the Subscribers that are left');
  const asks = [
    [(done) => mona.forceUnpublish(publisher.stream, done), 'OT_INVALID_PARAMETER', 1535],
    [(done) => mona.forceDisconnect(first.connection, done), 'OT_NOT_FOUND', 404],
  ];
  for (const [ask, name, code] of asks) {
    await t.rejected(ask(), name, code);
    await isTold(code, mona);
    const [refusal] = await t.handled((done) => ask(done).catch(() => undefined));
    t.isError(refusal, name, code);
    await isTold(code, mona);
  }
  t.ok(publisher.stream && first.isConnected(), 'nothing happens to the stream and its owner');
});

check('suppressed-connections', async (t) => {
  const sessionId = await t.makeSession();
  const session = await t.connected('publisher', { sessionId, init: { connectionEventsSuppressed: true } });
  const told = [];
  session.on('connectionCreated connectionDestroyed', (event) => told.push(event.type));
  const ann = await t.other(sessionId);
  const heard = t.next(session, 'signal');
  await ann.session.signal({});
  await heard;
  t.equal(told, [], 'nothing is told of other connections');
});

check('ice-configuration', async (t) => {
  const made = [];
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(configuration) {
      super(configuration);
      made.push(configuration);
    }
  };
  t.cleanups.push(() => (window.RTCPeerConnection = Peer));
  const customServers = [{ urls: 'stun:127.0.0.1:3478' }];
  const session = await t.connected('publisher', { init: { iceConfig: { includeServers: 'custom', customServers } } });
  await t.until(() => made.length === 1, 'the peer connection');
  t.equal(made[0].iceServers.map(({ urls }) => urls), ['stun:127.0.0.1:3478'], 'the servers');
  await session.setIceConfig({ includeServers: 'all', transportPolicy: 'relay', customServers: [] });
  await session.disconnect();
  await session.connect.promise(await t.makeToken(session.sessionId));
  await t.until(() => made.length === 2, 'the next peer connection');
  t.equal(made[1].iceTransportPolicy, 'relay', 'the policy');
});

check('prevented-disconnect', async (t) => {
  const { session, publisher, subscriber } = await t.loop({ videoSource: t.canvasTrack(), audioSource: null });
  session.once('sessionDisconnected', (event) => event.preventDefault());
  const order = [];
  session.on('sessionDisconnected', () => order.push('session'));
  publisher.on('streamDestroyed', (event) => order.push(`publisher ${event.reason}`));
  publisher.on('destroyed', () => order.push('publisher destroyed'));
  subscriber.on('destroyed', () => order.push('subscriber destroyed'));
  await session.disconnect();
  await t.until(() => order.includes('publisher destroyed'), 'the publisher is destroyed');
  t.equal(order.slice(0, 2), ['session', 'publisher clientDisconnected'], 'the order');
});

check('cpu-performance', async (t) => {
  let tell;
  let stopped = false;
  const real = window.PressureObserver;
  window.PressureObserver = class {
    constructor(told) { tell = (state) => told([{ state }]); }
    observe(source, { sampleInterval }) { t.ok(source === 'cpu' && sampleInterval > 0, 'what is observed'); return Promise.resolve(); }
    disconnect() { stopped = true; }
  };
  t.cleanups.push(() => (window.PressureObserver = real));
  const session = OT.initSession(apiKey, await t.makeSession());
  const told = [];
  const note = (event) => told.push(event.cpuPerformanceState);
  session.on('cpuPerformanceChanged', note);
  for (const state of ['nominal', 'nominal', 'serious']) tell(state);
  await t.until(() => told.length === 2, 'the changes');
  t.equal(told, ['nominal', 'serious']);
  session.off('cpuPerformanceChanged', note);
  t.ok(stopped, 'nobody listens, nothing is observed');
});
