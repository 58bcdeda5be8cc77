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
    (piece) => `<!--${piece}-->`, (piece) => piece.toUpperCase().replace(/(PARENT\.)?WINDOW\.INJECTED/, (name) => name.toLowerCase()), (piece) => `\u0000${piece}`,
    (piece) => piece.replace(/ |(?=>)/g, '\t'), (piece) => `${piece.replace(/</g, '&lt;')}${piece}`,
  ];
  return wraps.flatMap((wrap) => pieces.map(wrap));
})();

// Watches the page for elements that came of a text, for however short a time, and for scripts that ran.
const watchForMarkup = () => {
  const markup = 'script, img, svg, iframe, a, source, audio, input, details, marquee, object, embed, form, math, template, link';
  const made = [];
  const note = (records) => {
    for (const { addedNodes } of records)
      for (const node of addedNodes)
        if (node instanceof Element && (node.matches(markup) || node.querySelector(markup))) made.push(node.outerHTML.slice(0, 200));
  };
  const observer = new MutationObserver(note);
  observer.observe(document, { childList: true, subtree: true });
  // What has come of the texts. A handler of the same kind, made last, has run by then: theirs would have, too.
  return async () => {
    note(observer.takeRecords());
    observer.disconnect();
    const found = [...made];
    delete window.controlled;
    const control = document.createElement('div');
    const ran = new Promise((resolve) => Object.defineProperty(window, 'controlled', { configurable: true, set: resolve }));
    control.innerHTML = injections[1].replace('injected', 'controlled');
    document.body.append(control);
    await ran;
    control.remove();
    delete window.controlled;
    return { made: found, ran: window.injected !== undefined };
  };
};

check('injected-text', async (t) => {
  t.equal([new Set(injections).size, injections.length], [200, 200], 'the texts');
  const sessionId = await t.makeSession();
  const session = await t.connected('publisher', { sessionId, data: injections.slice(0, 12).join(' ').slice(0, 1000) });
  t.ok(session.connection.data.includes('<script>'), 'the data came as it was');
  // The server takes a hundred signals a second of each of them.
  const others = [await t.other(sessionId), await t.other(sessionId), await t.other(sessionId)];
  const finding = watchForMarkup();
  const publisher = await t.published(session, { videoSource: t.canvasTrack(), audioSource: null, name: injections[1], initials: injections[2] });
  const subscriber = await session.subscribe.promise(publisher.stream, t.box());
  for (const view of [publisher, subscriber]) {
    t.equal(view.element.querySelector('.OT_name').textContent, injections[1], 'the name is text');
    t.equal(view.element.querySelector('.OT_initials').textContent, injections[2], 'the initials are text');
  }
  for (const text of injections) {
    const frame = t.publisher({ videoSource: t.sharedTrack ??= t.canvasTrack(), audioSource: null, name: text, initials: text, style: { backgroundImageURI: text } });
    t.equal(frame.element.querySelector('.OT_name').textContent, text, 'the name');
    t.equal(frame.element.querySelector('.OT_initials').textContent, text, 'the initials');
    frame.destroy();
    const late = t.publisher({ videoSource: 'no such camera', audioSource: null, name: text });
    late.destroy();
    t.isError(await t.handled((done) => OT.initPublisher(text, done)).then(([error]) => error), 'OT_INVALID_PARAMETER', 1011);
    await t.rejected(session.signal({ type: text }), 'OT_INVALID_PARAMETER', 400);
  }
  const heard = [];
  session.on('signal', ({ data }) => heard.push(data));
  await Promise.all(injections.map((data, at) => others[at % others.length].session.signal({ data })));
  await t.until(() => heard.length === 200, 'the signals');
  t.equal(heard.toSorted(), injections.toSorted(), 'the signals came as they were');
  t.equal(await finding(), { made: [], ran: false }, 'what came of the texts');
});
