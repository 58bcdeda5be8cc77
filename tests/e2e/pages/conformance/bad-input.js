// Bad input: wrong types everywhere, and text from other people that would like to be markup.
check('wrong-types', async (t) => {
  const odd = [undefined, null, 0, 1, NaN, '', 'text', true, [], {}, () => undefined, Symbol('s'), 10n];
  const session = await t.connected('moderator');
  const publisher = await t.published(session, { videoSource: t.canvasTrack(), audioSource: t.toneTrack() });
  const subscriber = await session.subscribe.promise(publisher.stream, t.box());
  const calls = {
    session: ['signal', 'forceDisconnect', 'forceUnpublish', 'forceMuteStream', 'subscribe', 'unsubscribe', 'unpublish',
      'getPublisherForStream', 'getSubscribersForStream', 'is'],
    publisher: ['setVideoSource', 'setAudioSource', 'setStyle', 'getStyle', 'setVideoContentHint', 'setPreferredResolution',
      'setPreferredFrameRate', 'setMaxVideoBitrate', 'setVideoBitratePreset', 'setTargetScalabilityMode', 'applyVideoFilter',
      'applyAudioFilter', 'getStats'],
    subscriber: ['setAudioVolume', 'setPreferredResolution', 'setPreferredFrameRate', 'setStyle', 'getStyle',
      'setCaptionsTranslationLanguage', 'getStats', 'on', 'once'],
  };
  const owners = { session, publisher, subscriber };
  for (const [owner, names] of Object.entries(calls))
    for (const name of names)
      for (const value of odd) {
        let result;
        try {
          result = owners[owner][name](value);
        } catch (error) {
          throw new Error(`${owner}.${name}(${String(value)}) throws ${error}`);
        }
        if (result instanceof Promise)
          await result.then(
            () => undefined,
            (error) => t.ok(error instanceof OT.Error && /^OT_/.test(error.name), `${owner}.${name}(${String(value)}) rejects with ${error}`),
          );
      }
  t.ok(session.isConnected() && publisher.stream && subscriber.element.isConnected, 'all is as before');
  for (const entry of [...session.getSubscribersForStream(publisher.stream)]) session.unsubscribe(entry);
});

check('odd-options', async (t) => {
  const odd = [null, 0, -1, NaN, 'text', true, [], {}, Symbol('s')];
  const keys = ['resolution', 'frameRate', 'maxResolution', 'facingMode', 'audioBitrate', 'insertMode', 'fitMode', 'width', 'height',
    'style', 'mirror', 'showControls', 'initials', 'preferredVideoCodecs', 'audioFallback', 'videoContentHint', 'constraints', 'name'];
  for (const key of keys)
    for (const value of odd) {
      const publisher = OT.initPublisher(t.box(), { videoSource: t.sharedTrack ??= t.canvasTrack(), audioSource: null, [key]: value });
      publisher.destroy();
    }
});

check('name-too-long', async (t) => {
  const [error] = await t.handled((done) => OT.initPublisher(t.box(), { name: 'x'.repeat(1001), audioSource: null, videoSource: t.canvasTrack() }, done));
  t.isError(error, 'OT_INVALID_PARAMETER', 1011);
  const publisher = t.publisher({ name: 'x'.repeat(1000), audioSource: null, videoSource: t.canvasTrack() });
  await t.next(publisher, 'accessAllowed');
});

// Two hundred texts that would run a script or show an element wherever they were taken for markup.
const injections = (() => {
  const run = 'window.injected=1';
  const pieces = [
    `<script>${run}</script>`, `<img src=x onerror=${run}>`, `<svg onload=${run}>`, `<svg/onload=${run}>`, `<body onload=${run}>`,
    `<iframe srcdoc="<script>parent.${run}</script>">`, `<iframe src="javascript:parent.${run}">`, `<a href="javascript:${run}">x</a>`,
    `<video><source onerror=${run}>`, `<audio src=x onerror=${run}>`, `<input autofocus onfocus=${run}>`, `<details open ontoggle=${run}>`,
    `<marquee onstart=${run}>`, `<object data="javascript:${run}">`, `<embed src="javascript:${run}">`, `<form><button formaction="javascript:${run}">x`,
    `<math><mtext><img src=x onerror=${run}>`, `<template><img src=x onerror=${run}></template>`, `<style onload=${run}></style>`,
    `<link rel=stylesheet href=x onerror=${run}>`,
  ];
  const wraps = [
    (piece) => piece, (piece) => `"> ${piece}`, (piece) => `'>${piece}`, (piece) => `</div>${piece}`, (piece) => `</title></style></textarea>${piece}`,
    (piece) => `<!--${piece}-->`, (piece) => piece.toUpperCase().replace('WINDOW.INJECTED', 'window.injected'), (piece) => `\u0000${piece}`,
    (piece) => piece.replace(/ /g, '\t'), (piece) => `${piece.replace(/</g, '&lt;')}${piece}`,
  ];
  return wraps.flatMap((wrap) => pieces.map(wrap));
})();

check('injected-text', async (t) => {
  t.equal(injections.length, 200, 'the texts');
  const sessionId = await t.makeSession();
  const session = await t.connected('publisher', { sessionId, data: injections.slice(0, 12).join(' ').slice(0, 1000) });
  t.ok(session.connection.data.includes('<script>'), 'the data came as it was');
  const publisher = await t.published(session, { videoSource: t.canvasTrack(), audioSource: null, name: injections[1], initials: injections[2] });
  const subscriber = await session.subscribe.promise(publisher.stream, t.box());
  const markup = 'script, img, svg, iframe, a, source, audio, input, details, marquee, object, embed, form, math, template, link';
  const elements = () => document.querySelectorAll(markup).length;
  for (const view of [publisher, subscriber]) {
    t.equal(view.element.querySelector('.OT_name').textContent, injections[1], 'the name is text');
    t.equal(view.element.querySelectorAll(markup).length, 0, 'no element comes of it');
  }
  const before = elements();
  const heard = [];
  session.on('signal', ({ data }) => heard.push(data));
  for (const text of injections) {
    const frame = t.publisher({ videoSource: t.sharedTrack ??= t.canvasTrack(), audioSource: null, name: text, initials: text, style: { backgroundImageURI: text } });
    t.equal(frame.element.querySelector('.OT_name').textContent, text, 'the name');
    t.equal(frame.element.querySelector('.OT_initials').textContent, text, 'the initials');
    t.ok(frame.element.querySelectorAll(markup).length === 0, `markup of ${text}`);
    frame.destroy();
    const late = t.publisher({ videoSource: 'no such camera', audioSource: null, name: text });
    late.destroy();
    t.isError(await t.handled((done) => OT.initPublisher(text, done)).then(([error]) => error), 'OT_INVALID_PARAMETER', 1011);
  }
  for (let at = 0; at < injections.length; at += 40) {
    await Promise.all(injections.slice(at, at + 40).map((data) => session.signal({ data })));
    await new Promise((resume) => setTimeout(resume, 600)); // the server takes a hundred signals a second
  }
  await t.until(() => heard.length === 200, 'the signals');
  t.equal(heard, injections, 'the signals came as they were');
  t.equal(elements(), before, 'no element was made');
  t.equal(window.injected, undefined, 'no script has run');
});
