// Sections 8 and 3.3: a lost socket, and what waits for its return.
check('reconnection', async (t) => {
  const sockets = [];
  const Real = window.WebSocket;
  let fails = false; // the first attempt to come back: else the server may seat the client before it has missed it
  window.WebSocket = class extends Real {
    constructor(address, ...rest) {
      super(fails ? `${address}/nowhere` : address, ...rest);
      fails = false;
      sockets.push(this);
    }
  };
  t.cleanups.push(() => (window.WebSocket = Real));
  const session = await t.connected();
  const publisher = await t.published(session, { audioSource: null, videoSource: t.canvasTrack() });
  const { session: theirs } = await t.other(session.sessionId);
  const stream = await t.until(() => theirs.streams.find(), 'the stream over there');
  const subscriber = await theirs.subscribe.promise(stream);
  const heard = [];
  theirs.on('signal:kept', ({ data }) => heard.push(data));
  theirs.on('signal:hurried', ({ data }) => heard.push(data));
  const told = [];
  for (const type of ['sessionReconnecting', 'sessionReconnected', 'sessionDisconnected']) session.on(type, () => told.push(type));
  const [gone, back] = [t.next(subscriber, 'disconnected'), t.next(subscriber, 'connected')];
  const lost = t.next(session, 'sessionReconnecting');
  const [{ connection }, { streamId }] = [session, publisher.stream];
  fails = true;
  sockets.at(-1).close();
  await lost;
  t.equal(session.currentState, 'reconnecting', 'the state meanwhile');
  const kept = session.signal({ type: 'kept', data: 'waits' });
  await t.rejected(session.signal({ type: 'hurried', data: 'lost', retryAfterReconnect: false }), 'OT_NOT_CONNECTED', 1010);
  await kept;
  await Promise.all([gone, back]);
  await t.until(() => heard.length > 0, 'the signal that waited');
  t.equal(heard, ['waits'], 'what was heard');
  t.equal(told, ['sessionReconnecting', 'sessionReconnected'], 'the events');
  t.ok(session.connection === connection && publisher.stream.streamId === streamId, 'objects and ids stay');
});

check('accepted-options', async (t) => {
  const session = await t.connected('publisher', { init: { ipWhitelist: true, singlePeerConnection: true, sessionMigration: true } });
  await t.published(session, { audioSource: null, videoSource: t.canvasTrack() });
  t.equal(session.connection.permissions, {}, 'permissions of a connection');
});

check('electron-screen', async (t) => {
  const { mediaDevices } = navigator;
  const asked = [];
  window.electron = { desktopCapturer: { getSources: async (wishes) => (asked.push(wishes.types), [{ id: 'screen:7:0' }, { id: 'screen:8:0' }]) } };
  const capture = mediaDevices.getUserMedia;
  mediaDevices.getUserMedia = async ({ video }) => {
    asked.push(video.mandatory ?? video);
    return new MediaStream([t.canvasTrack('teal', 640, 360)]);
  };
  t.cleanups.push(() => {
    delete window.electron;
    mediaDevices.getUserMedia = capture;
  });
  const session = await t.connected();
  const publisher = await t.published(session, { videoSource: 'screen', resolution: undefined });
  t.equal(publisher.stream.videoType, 'screen', 'the type of the stream');
  t.equal(asked[0], ['screen'], 'what the capturer is asked for');
  t.equal(asked[1].chromeMediaSourceId, 'screen:7:0', 'the first screen is captured');
});
