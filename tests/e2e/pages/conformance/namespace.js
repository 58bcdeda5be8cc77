// Sections 1 and 2 of the API: the namespace, emitters, arguments, devices.
check('namespace-alias', async (t) => {
  t.ok(window.TB === window.OT, 'TB is OT');
  t.equal([OT.NONE, OT.ERROR, OT.WARN, OT.INFO, OT.LOG, OT.DEBUG], [0, 1, 2, 3, 4, 5], 'the log levels');
  t.equal([OT.HAS_REQUIREMENTS, OT.NOT_HAS_REQUIREMENTS], [1, 0], 'the requirements');
  t.equal(OT.checkSystemRequirements(), 1, 'checkSystemRequirements()');
  t.equal(OT.SessionInfo, undefined, 'OT.SessionInfo');
});

check('namespace-members', async (t) => {
  for (const name of ['initSession', 'initPublisher', 'checkSystemRequirements', 'upgradeSystemRequirements', 'getDevices',
    'getAudioOutputDevices', 'getActiveAudioOutputDevice', 'setAudioOutputDevice', 'getUserMedia', 'getSupportedCodecs',
    'checkScreenSharingCapability', 'registerScreenSharingExtension', 'hasMediaProcessorSupport',
    'hasEndToEndEncryptionSupport', 'setProxyUrl', 'unblockAudio', 'setLogLevel', 'log', 'reportIssue', 'on', 'once', 'off',
    'addEventListener', 'removeEventListener', 'trigger'])
    t.equal(typeof OT[name], 'function', `OT.${name}`);
  for (const name of ['initPublisher', 'hasMediaProcessorSupport'])
    t.equal(typeof OT[name].promise, 'function', `OT.${name}.promise`);
  t.equal(typeof OT.properties.version, 'string', 'OT.properties.version');
  t.equal(OT.analytics.logEvent({}), undefined, 'OT.analytics.logEvent()');
  t.equal(OT.registerScreenSharingExtension('chrome', 'id', 2), undefined, 'registerScreenSharingExtension()');
  OT.setLogLevel(OT.ERROR);
  OT.log('nothing is printed at this level');
});

check('namespace-eventing', async (t) => {
  const object = {};
  OT.$.eventing(object);
  const heard = [];
  object.on('told', (event) => heard.push(event.type));
  object.trigger('told', { x: 1 });
  await t.until(() => heard.length === 1, 'the mixed-in emitter tells');
});

check('emitter-on-off-once', async (t) => {
  const session = OT.initSession(apiKey, await t.makeSession());
  const heard = [];
  const a = () => heard.push('a');
  const b = () => heard.push('b');
  t.ok(session.on('x', a) === session, 'on() returns the emitter');
  session.on({ x: b, y: b });
  session.on('x z', a);
  session.once('x', () => heard.push('once'));
  const context = { name: 'context' };
  session.on('w', function () { heard.push(this.name); }, context);
  const told = async (type) => {
    heard.length = 0;
    session.trigger(type);
    const done = new Promise((resume) => session.once('flush', resume));
    session.trigger('flush');
    await done;
    return heard.join(' ');
  };
  t.equal(await told('x'), 'a b a once', 'handlers of x');
  t.equal(await told('x'), 'a b a', 'handlers of x the second time');
  t.equal(await told('w'), 'context', 'the handler with a context');
  session.off('x', a);
  t.equal(await told('x'), 'b', 'handlers of x without a');
  session.off({ y: b });
  t.equal(await told('y'), '', 'handlers of y');
  session.off('w', undefined, {});
  t.equal(await told('w'), 'context', 'another context takes nothing off');
  session.off('x');
  t.equal(await told('x'), '', 'handlers of x');
  session.addEventListener('v', a);
  t.equal(await told('v'), 'a', 'addEventListener');
  session.removeEventListener('v', a);
  t.equal(await told('v'), '', 'removeEventListener');
  session.on('x', a);
  session.off();
  t.equal(await told('x'), '', 'off() without arguments');
});

check('emitter-throwing-handler', async (t) => {
  const session = OT.initSession(apiKey, await t.makeSession());
  t.throwsOnPurpose = true;
  const errors = [];
  const note = (event) => errors.push(event.message);
  addEventListener('error', note);
  let second = false;
  session.on('x', () => { throw new Error('of the application'); });
  session.on('x', () => { second = true; });
  session.trigger('x');
  await t.until(() => second, 'the second handler is called');
  await t.until(() => errors.length === 1, 'the error reaches window.onerror');
  removeEventListener('error', note);
});

check('emitter-asynchronous', async (t) => {
  const session = OT.initSession(apiKey, await t.makeSession());
  let inside = false;
  session.on('sessionConnected', () => t.ok(!inside, 'no event inside connect()'));
  const connected = t.next(session, 'sessionConnected');
  inside = true;
  session.connect(await t.makeToken(session.sessionId));
  inside = false;
  await connected;
  await session.disconnect();
});

check('init-session-arguments', async (t) => {
  const sessionId = await t.makeSession();
  const session = OT.initSession(apiKey, sessionId);
  t.equal([session.sessionId, session.id, session.apiKey], [sessionId, sessionId, apiKey], 'ids and key');
  t.ok(OT.initSession(apiKey, sessionId) === session, 'the same session is the same object');
  t.ok(OT.initSession(Number(apiKey), sessionId) === session, 'a numeric key is the same key');
  const older = await t.makeSession();
  const old = OT.initSession(older);
  t.equal(old.sessionId, older, 'the older form');
  const [error] = await t.handled((done) => old.connect(apiKey, '', done));
  t.isError(error, 'OT_INVALID_PARAMETER', 1011);
  await old.connect.promise(apiKey, await t.makeToken(older));
  t.ok(old.isConnected(), 'the older connect(apiKey, token)');
  await old.disconnect();
});

check('init-publisher-arguments', async (t) => {
  const made = [];
  const make = (...args) => {
    const publisher = OT.initPublisher(...args);
    made.push(publisher);
    t.cleanups.push(() => publisher.destroy());
    return publisher;
  };
  const only = { videoSource: t.canvasTrack(), audioSource: null };
  const element = t.box();
  t.ok(make(element, only).element === element, 'an element is the target');
  const named = t.box();
  t.ok(make(named.id, only).element === named, 'a text is the id of an element');
  t.ok(make(only).element.parentElement === document.body, 'without a target it goes to the body');
  const [first] = await t.handled((done) => make(only, done));
  t.ok(!first, 'initPublisher(properties, handler)');
  const [second] = await t.handled((done) => make(t.box(), only, done));
  t.ok(!second, 'initPublisher(element, properties, handler)');
  const older = t.box();
  t.ok(make(apiKey, older.id, only).element === older, 'the older form with the key');
  t.ok((await OT.initPublisher.promise(t.box(), only)).accessAllowed, 'initPublisher.promise');
  const [third] = await t.handled((done) => make(done));
  t.ok(!third, 'initPublisher(handler)');
  const [fourth] = await t.handled((done) => make(t.box(), done));
  t.ok(!fourth, 'initPublisher(element, handler)');
});

check('get-devices', async (t) => {
  const publisher = await OT.initPublisher.promise(t.box());
  t.cleanups.push(() => publisher.destroy());
  const devices = await OT.getDevices();
  t.ok(devices.length > 1, 'there are devices');
  t.equal([...new Set(devices.map(({ kind }) => kind))].sort(), ['audioInput', 'videoInput'], 'the kinds');
  for (const device of devices) t.ok(device.deviceId && device.label, 'devices have id and label after access');
  const [error, again] = await t.handled((done) => OT.getDevices(done));
  t.ok(!error, 'no error');
  t.equal(again.length, devices.length, 'the handler gets the same devices');
});

check('get-user-media', async (t) => {
  const media = await OT.getUserMedia({ videoSource: null });
  t.equal([media.getAudioTracks().length, media.getVideoTracks().length], [1, 0], 'the tracks');
  for (const track of media.getTracks()) track.stop();
  await t.rejected(OT.getUserMedia({ audioSource: null, videoSource: null }), 'OT_NO_VALID_CONSTRAINTS', 1500);
  await t.rejected(OT.getUserMedia({ videoSource: 'no such camera', audioSource: null }), 'OT_CONSTRAINTS_NOT_SATISFIED', 1500);
});

check('supported-codecs', async (t) => {
  const { videoEncoders, videoDecoders } = await OT.getSupportedCodecs();
  for (const list of [videoEncoders, videoDecoders]) {
    t.ok(list.includes('VP8') && list.includes('VP9'), 'Chromium has VP8 and VP9');
    t.ok(list.every((name) => ['VP8', 'VP9', 'H264'].includes(name)), 'no other names');
  }
});

check('screen-sharing-capability', async (t) => {
  const [answer] = await t.handled((done) => OT.checkScreenSharingCapability(done));
  t.equal(answer.supported, true, 'supported');
  t.equal(answer.supportedSources.screen, true, 'supportedSources.screen');
  t.equal([answer.extensionRequired, answer.extensionRegistered, answer.extensionInstalled], [undefined, undefined, undefined], 'extensions');
  t.equal((await OT.checkScreenSharingCapability()).supported, true, 'the promise');
});

check('audio-output', async (t) => {
  const { subscriber } = await t.loop();
  const outputs = await OT.getAudioOutputDevices();
  t.ok(outputs.length > 0 && outputs.every((output) => 'deviceId' in output && 'label' in output), 'outputs have id and label');
  const chosen = outputs.at(-1);
  await OT.setAudioOutputDevice(chosen.deviceId);
  t.equal(subscriber.element.querySelector('video').sinkId, chosen.deviceId, 'the sink of a Subscriber');
  t.equal((await OT.getActiveAudioOutputDevice()).deviceId, chosen.deviceId, 'the active output');
  await t.rejected(OT.setAudioOutputDevice('nowhere'), 'OT_INVALID_PARAMETER', 1011);
  await t.rejected(OT.setAudioOutputDevice(), 'OT_INVALID_PARAMETER', 1011);
  await OT.setAudioOutputDevice('default');
});

check('media-processor-support', async (t) => {
  for (const type of [undefined, 'video', 'audio', 'both']) {
    t.equal(OT.hasMediaProcessorSupport(type), true, `support of ${type}`);
    t.equal(await OT.hasMediaProcessorSupport.promise(type), true, `the promise for ${type}`);
  }
});

check('collections', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session, { audioSource: null, videoSource: t.canvasTrack() });
  t.ok(OT.publishers.find((entry) => entry === publisher) === publisher, 'OT.publishers.find(function)');
  t.ok(OT.publishers.find({ id: publisher.id }) === publisher, 'OT.publishers.find(criteria)');
  t.equal(OT.publishers.where({ id: publisher.id }).length, 1, 'OT.publishers.where(criteria)');
  t.equal(OT.publishers.where({ id: 'none' }).length, 0, 'where() of nothing');
  t.ok(OT.publishers.find() !== undefined, 'find() without criteria gives the first');
  let seen = 0;
  OT.publishers.forEach(() => (seen += 1));
  t.equal(OT.publishers.length(), seen, 'length()');
  t.ok(OT.sessions.find({ sessionId: session.sessionId }) === session, 'OT.sessions.find');
  const subscriber = await session.subscribe.promise(publisher.stream, t.box());
  t.ok(OT.subscribers.find({ id: subscriber.id }) === subscriber, 'OT.subscribers.find');
  t.equal(session.streams.find({ id: publisher.stream.id }), publisher.stream, 'session.streams.find');
  t.equal(session.connections.length(), 1, 'session.connections');
});

check('upgrade-notice', async (t) => {
  OT.upgradeSystemRequirements();
  const notice = document.querySelector('[role=alertdialog]');
  t.ok(notice && notice.textContent.length > 20, 'a notice is shown');
  notice.querySelector('button').click();
  t.ok(!document.querySelector('[role=alertdialog]'), 'it can be closed');
});

check('report-issue', async (t) => {
  const [error, id] = await t.handled((done) => OT.reportIssue(done));
  t.ok(!error && /^[0-9a-f-]{36}$/.test(id), 'the id');
  t.ok((await OT.reportIssue()) !== id, 'the next report has another');
  const fetched = window.fetch;
  t.cleanups.push(() => (window.fetch = fetched));
  window.fetch = () => Promise.reject(new TypeError('offline'));
  await t.rejected(OT.reportIssue(), 'OT_REPORT_ISSUE_FAILED', 2010);
});

check('proxy', async (t) => {
  const frame = document.createElement('iframe');
  frame.src = '/frame.html';
  document.body.append(frame);
  t.cleanups.push(() => frame.remove());
  await new Promise((resolve) => (frame.onload = resolve));
  const theirs = frame.contentWindow;
  const addresses = [];
  const Socket = theirs.WebSocket;
  theirs.WebSocket = class extends Socket {
    constructor(address) {
      addresses.push(address);
      super(address.replace('/proxied/' + new URL(serverUrl).host, ''));
    }
  };
  theirs.OT.setProxyUrl(serverUrl + '/proxied');
  const sessionId = await t.makeSession();
  const session = theirs.OT.initSession(apiKey, sessionId);
  await session.connect.promise(await t.makeToken(sessionId));
  t.equal(addresses[0], `${serverUrl.replace('http', 'ws')}/proxied/${new URL(serverUrl).host}/signalling`, 'the address');
  await session.disconnect();
});
