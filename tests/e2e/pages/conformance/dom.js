// Section 8: elements, classes, attributes, controls, styles.
const visible = (element) => {
  const style = getComputedStyle(element);
  return style.display !== 'none' && style.visibility !== 'hidden' && Number(style.opacity) > 0;
};
const still = (t, properties) => ({ videoSource: t.canvasTrack(), audioSource: null, ...properties });

check('insert-modes', async (t) => {
  const target = t.box('section');
  target.innerHTML = '<i>gone</i>';
  const replaced = OT.initPublisher(target, still(t, { insertMode: 'replace', width: '50%', height: 90 }));
  t.ok(replaced.element === target && target.tagName === 'SECTION', 'replace: the target becomes the root');
  t.ok(!target.querySelector('i'), 'its contents are gone');
  t.equal([replaced.id, target.style.width, target.style.height], [target.id, '50%', '90px'], 'id and size');
  replaced.destroy();
  t.ok(!target.isConnected, 'the root is removed');
  for (const mode of ['append', 'before', 'after']) {
    const box = t.box();
    const publisher = OT.initPublisher(box.id, still(t, { insertMode: mode }));
    const { element } = publisher;
    const place = { append: box.lastElementChild, before: box.previousElementSibling, after: box.nextElementSibling }[mode];
    t.ok(element === place && element.tagName === 'DIV', mode);
    t.ok(/^OT_[0-9a-f-]{36}$/.test(element.id) && document.getElementById(publisher.id) === element, 'the id');
    publisher.destroy();
    t.ok(!element.isConnected && box.isConnected, `${mode}: only the widget is removed`);
  }
  const loose = OT.initPublisher(undefined, still(t));
  t.ok(loose.element.parentElement === document.body, 'without target: the body');
  loose.destroy();
});

check('missing-target', async (t) => {
  const told = t.exceptions();
  const [error] = await t.handled((done) => OT.initPublisher('no such element', still(t), done));
  t.isError(error, 'OT_INVALID_PARAMETER', 1011);
  await t.until(() => told.some((event) => event.code === 1011), 'exception');
});

check('without-default-ui', async (t) => {
  const session = await t.connected();
  const roots = document.querySelectorAll('.OT_root').length;
  const publisher = OT.initPublisher({ insertDefaultUI: false, ...still(t) });
  t.cleanups.push(() => publisher.destroy());
  const { element } = await t.next(publisher, 'videoElementCreated');
  t.ok(element instanceof HTMLVideoElement && !element.isConnected, 'a video that is nowhere yet');
  t.equal(publisher.element, undefined, 'no root');
  t.equal(document.querySelectorAll('.OT_root').length, roots, 'nothing is inserted');
  t.ok(element.autoplay && element.hasAttribute('playsinline') && element.muted, 'autoplay, playsinline, muted');
  t.box().append(element);
  await session.publish.promise(publisher);
  const subscriber = session.subscribe(publisher.stream, { insertDefaultUI: false });
  const theirs = (await t.next(subscriber, 'videoElementCreated')).element;
  t.box().append(theirs);
  await t.until(() => theirs.videoWidth > 0, 'the application shows the picture itself');
  const target = t.box();
  const warned = OT.initPublisher(target, { insertDefaultUI: false, ...still(t) });
  await t.next(warned, 'accessAllowed');
  t.equal(target.children.length, 0, 'a target is ignored');
  warned.destroy();
});

check('class-names', async (t) => {
  const { publisher, subscriber } = await t.loop({ name: 'Ann Lee', ...still(t) });
  for (const [view, kind] of [[publisher, 'OT_publisher'], [subscriber, 'OT_subscriber']]) {
    const { element } = view;
    for (const name of ['OT_root', kind, 'OT_fit-mode-cover']) t.ok(element.classList.contains(name), name);
    await t.until(() => !element.classList.contains('OT_loading'), 'OT_loading goes');
    for (const name of ['OT_widget-container', 'OT_video-container', 'OT_video-element', 'OT_video-poster', 'OT_video-loading',
      'OT_bar', 'OT_name', 'OT_mute', 'OT_audio-level-meter', 'OT_audio-level-meter__value', 'OT_video-disabled-indicator'])
      t.ok(element.querySelector(`.${name}`), `${name} of ${kind}`);
    for (const item of element.querySelectorAll('.OT_bar, .OT_name, .OT_mute'))
      t.ok(item.classList.contains('OT_edge-bar-item') && /OT_mode-auto/.test(item.className), 'an edge-bar item');
    t.equal(element.querySelector('.OT_name').textContent, 'Ann Lee', 'the name');
    t.ok(element.querySelector('.OT_widget-container').contains(element.querySelector('video')), 'the video in its container');
    t.ok(!element.querySelector('.OT_big, .OT_ignore, .OT_fixedRatio'), 'classes of layout helpers are not set');
  }
  t.ok(publisher.element.querySelector('.OT_archiving.OT_archiving-off .OT_archiving-status'), 'the archive indicator');
  t.equal([publisher.element.dataset.streamCreated, publisher.element.dataset.streamid], ['true', publisher.stream.id], 'attributes');
});

check('mirror-and-fit', async (t) => {
  const camera = t.publisher({ mirror: false, fitMode: 'contain' });
  t.ok(!camera.element.classList.contains('OT_mirrored') && camera.element.classList.contains('OT_fit-mode-contain'), 'as asked');
  await t.next(camera, 'accessAllowed');
  t.equal(getComputedStyle(camera.element.querySelector('video')).objectFit, 'contain', 'contain');
  const mirrored = t.publisher();
  await t.next(mirrored, 'accessAllowed');
  t.ok(/matrix\(-1/.test(getComputedStyle(mirrored.element.querySelector('video')).transform), 'the preview is mirrored');
});

check('show-controls', async (t) => {
  const publisher = t.publisher(still(t, { showControls: false, name: 'x', style: { nameDisplayMode: 'on', buttonDisplayMode: 'on' } }));
  await t.next(publisher, 'accessAllowed');
  t.equal(publisher.element.querySelectorAll('.OT_name, .OT_mute, .OT_audio-level-meter, .OT_video-disabled-indicator, .OT_archiving').length, 0, 'controls');
  t.ok(publisher.element.querySelector('video'), 'the video');
});

check('styles', async (t) => {
  const publisher = t.publisher(still(t, { name: 'x', style: { nameDisplayMode: 'on', buttonDisplayMode: 'off' } }));
  await t.next(publisher, 'accessAllowed');
  const { element } = publisher;
  t.ok(element.querySelector('.OT_name').classList.contains('OT_mode-on'), 'the option');
  t.ok(!visible(element.querySelector('.OT_mute')), 'off hides');
  t.ok(publisher.setStyle('nameDisplayMode', 'off') === publisher, 'setStyle() returns the Publisher');
  t.ok(element.querySelector('.OT_name').classList.contains('OT_mode-off'), 'setStyle(key, value)');
  publisher.setStyle({ nameDisplayMode: 'auto', buttonDisplayMode: 'on', nonsense: 1, audioLevelDisplayMode: 'sometimes' });
  t.ok(element.querySelector('.OT_mute').classList.contains('OT_mode-on') && visible(element.querySelector('.OT_mute')), 'setStyle(map)');
  const style = publisher.getStyle();
  t.equal([style.nameDisplayMode, style.buttonDisplayMode, style.audioLevelDisplayMode, style.videoDisabledDisplayMode, style.archiveStatusDisplayMode],
    ['auto', 'on', 'auto', 'auto', 'auto'], 'getStyle()');
  t.equal(publisher.getStyle('buttonDisplayMode'), 'on', 'getStyle(key)');
  await t.until(() => publisher.getImgData(), 'a picture');
  publisher.setStyle('backgroundImageURI', publisher.getImgData());
  t.ok(/^url\("data:image\/png;base64,/.test(element.querySelector('.OT_video-poster').style.backgroundImage), 'bare base-64 is a PNG');
});

check('poster', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session, { videoSource: null, name: 'Ann Bea Lee' });
  const subscriber = await session.subscribe.promise(publisher.stream, t.box());
  for (const { element } of [publisher, subscriber]) {
    t.ok(element.classList.contains('OT_audio-only'), 'OT_audio-only');
    t.ok(visible(element.querySelector('.OT_video-poster')), 'the poster is shown');
    t.equal(element.querySelector('.OT_initials').textContent, 'AL', 'initials');
    t.ok(visible(element.querySelector('.OT_audio-level-meter')), 'the meter is shown');
  }
});

check('element-survives', async (t) => {
  const { publisher, subscriber } = await t.loop(still(t));
  for (const { element } of [publisher, subscriber]) {
    const video = element.querySelector('video');
    await t.until(() => video.videoWidth > 0, 'a picture');
    const elsewhere = t.box();
    elsewhere.append(element);
    element.style.width = '200px';
    element.classList.add('OT_big');
    const overlay = document.createElement('b');
    element.querySelector('.OT_widget-container').append(overlay);
    await t.moves(video);
    t.ok(!video.paused, 'the picture goes on');
    t.ok(overlay.isConnected && element.classList.contains('OT_big') && element.style.width === '200px', 'nothing is undone');
  }
});

check('keyboard-and-screen-reader', async (t) => {
  const { publisher, subscriber } = await t.loop({ name: 'Ann', ...still(t, { audioSource: t.toneTrack() }) });
  for (const [view, word] of [[publisher, 'microphone'], [subscriber, 'sound']]) {
    const button = view.element.querySelector('.OT_mute');
    t.equal([button.tagName, button.type, button.getAttribute('aria-pressed')], ['BUTTON', 'button', 'false'], 'a real button');
    t.equal(button.getAttribute('aria-label'), `Mute ${word}`, 'its name');
    button.focus();
    t.ok(document.activeElement === button, 'it takes the focus');
    await t.until(() => visible(button), 'a focused button can be seen');
    button.click();
    t.equal([button.getAttribute('aria-pressed'), button.getAttribute('aria-label')], ['true', `Unmute ${word}`], 'its state is told');
    button.click();
    t.equal(view.element.querySelector('video').getAttribute('aria-label'), 'Ann', 'the video has a name');
  }
  t.equal(subscriber.element.querySelector('.OT_audio-blocked-indicator').tabIndex, -1, 'a hidden button takes no focus');
});
