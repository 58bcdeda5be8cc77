// Sections 6 and 12: subscribers.
check('subscriber-sequence', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session);
  const told = [];
  const subscriber = session.subscribe(publisher.stream, t.box(), (error) => told.push(`handler ${error}`));
  for (const type of ['videoElementCreated', 'mediaStreamAvailable', 'connected', 'loaded', 'destroyed'])
    subscriber.on(type, (event) => {
      t.ok(event.target === subscriber, `target of ${type}`);
      if (type === 'videoElementCreated') t.ok(event.element === subscriber.element.querySelector('video'), 'the element');
      if (type === 'destroyed') told.push(event.reason);
      told.push(type);
    });
  t.ok(subscriber.element && subscriber.stream === publisher.stream && subscriber.session === session, 'the properties');
  t.ok(subscriber.element.classList.contains('OT_loading'), 'OT_loading at first');
  t.equal([subscriber.streamId, subscriber.id, subscriber.widgetId], [publisher.stream.id, subscriber.element.id, subscriber.id], 'the ids');
  await t.until(() => told.includes('loaded'), 'loaded');
  t.equal(told.filter((type) => type !== 'mediaStreamAvailable'), ['videoElementCreated', 'connected', 'handler undefined', 'loaded']);
  t.ok(!subscriber.element.classList.contains('OT_loading'), 'OT_loading is gone');
  t.equal([subscriber.videoWidth(), subscriber.videoHeight()], [320, 240], 'the size');
  const { element } = subscriber;
  subscriber.destroy();
  await t.until(() => told.includes('destroyed'), 'destroyed');
  t.equal([told.at(-2), element.isConnected], ['unsubscribed', false], 'the reason, and the element is gone');
});

check('subscribe-arguments', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session, { audioSource: null, videoSource: t.canvasTrack() });
  const { stream } = publisher;
  const subscribers = [session.subscribe(stream), session.subscribe(stream, { width: 50 }), session.subscribe(stream, t.box().id, { height: 60 })];
  const [first] = await t.handled((done) => subscribers.push(session.subscribe(stream, done)));
  const [second] = await t.handled((done) => subscribers.push(session.subscribe(stream, t.box(), done)));
  t.ok(!first && !second, 'the handlers succeed');
  t.equal(subscribers[1].element.style.width, '50px', 'properties in the place of the target');
  t.equal(session.getSubscribersForStream(stream).length, 5, 'one stream has several subscribers');
  t.ok((await session.subscribe.promise(stream)) instanceof subscribers[0].constructor, 'subscribe.promise');
});

check('subscriber-audio-video', async (t) => {
  const { publisher, subscriber } = await t.loop({ audioSource: t.toneTrack() });
  const video = subscriber.element.querySelector('video');
  await t.until(() => !video.muted, 'sound plays');
  t.ok(subscriber.subscribeToAudio(false) === subscriber && video.muted, 'subscribeToAudio(false)');
  subscriber.subscribeToAudio(true);
  t.ok(!video.muted, 'subscribeToAudio(true)');
  const off = t.next(subscriber, 'videoDisabled');
  t.ok(subscriber.subscribeToVideo(false) === subscriber, 'subscribeToVideo() returns the Subscriber');
  t.equal((await off).reason, 'subscribeToVideo', 'the reason');
  t.ok(subscriber.element.classList.contains('OT_audio-only'), 'OT_audio-only');
  const on = t.next(subscriber, 'videoEnabled');
  await subscriber.subscribeToVideo.promise(true, 'because');
  t.equal((await on).reason, 'subscribeToVideo', 'the reason');
  const gone = t.next(subscriber, 'videoDisabled');
  publisher.publishVideo(false);
  t.equal((await gone).reason, 'publishVideo', 'the reason when the publisher stops');
  const back = t.next(subscriber, 'videoEnabled');
  publisher.publishVideo(true);
  t.equal((await back).reason, 'publishVideo', 'the reason when it goes on');
  await subscriber.subscribeToAudio.promise(false, 'because');
  t.ok(video.muted, 'the promise of subscribeToAudio');
});

check('subscriber-volume', async (t) => {
  const { subscriber } = await t.loop({ audioSource: t.toneTrack() }, { audioVolume: 30 });
  const video = subscriber.element.querySelector('video');
  await t.until(() => !video.muted, 'sound plays');
  t.equal([subscriber.getAudioVolume(), Math.round(video.volume * 100)], [30, 30], 'the option');
  t.ok(subscriber.setAudioVolume(80) === subscriber, 'setAudioVolume() returns the Subscriber');
  t.equal([subscriber.getAudioVolume(), Math.round(video.volume * 100)], [80, 80], 'the method');
  subscriber.setAudioVolume(500);
  t.equal(subscriber.getAudioVolume(), 100, 'it is brought to the edge');
  await subscriber.setAudioVolume.promise(-5);
  t.equal(subscriber.getAudioVolume(), 0, 'at the other edge');
  subscriber.setAudioVolume('loud');
  t.equal(subscriber.getAudioVolume(), 0, 'what is no number changes nothing');
  t.equal(subscriber.isAudioBlocked(), false, 'isAudioBlocked()');
});

check('subscriber-starts-without', async (t) => {
  const { subscriber } = await t.loop({}, { subscribeToAudio: false, subscribeToVideo: false });
  const video = subscriber.element.querySelector('video');
  t.ok(video.muted && subscriber.element.classList.contains('OT_audio-only'), 'neither sound nor picture');
  t.ok(subscriber.element.querySelector('.OT_mute').classList.contains('OT_active'), 'the button shows it');
  subscriber.subscribeToVideo(true);
  await t.until(() => subscriber.videoWidth() > 0 && video.style.visibility === '', 'the picture comes');
});

check('subscriber-stats', async (t) => {
  const { session, publisher, subscriber } = await t.loop({ audioSource: t.toneTrack() });
  const stats = await t.until(async () => {
    const now = await subscriber.getStats();
    return now.video.bitrate > 0 && now.audio.packetsReceived > 20 && now;
  }, 'statistics');
  for (const medium of [stats.audio, stats.video])
    for (const key of ['bytesReceived', 'packetsReceived', 'packetsLost']) t.equal(typeof medium[key], 'number', key);
  t.ok(['VP8', 'VP9', 'H264'].includes(stats.video.codec), 'the codec');
  t.equal([stats.video.width, stats.video.height], [320, 240], 'the size');
  for (const key of ['frameRate', 'decodedFrameRate', 'totalBitrate']) t.equal(typeof stats.video[key], 'number', key);
  t.ok(stats.mediaLink.transport && stats.mediaLink.remotePublisherTransport && stats.mediaLink.networkDegradationSource, 'mediaLink');
  const [error, handled] = await t.handled((done) => subscriber.getStats(done));
  t.ok(!error && handled.video, 'the handler');
  t.ok([...(await subscriber.getRtcStatsReport()).values()].some(({ type }) => type === 'inbound-rtp'), 'the report of the browser');
  // The slot is used again: what it counted for the stream before must not count for the next.
  const before = (await subscriber.getStats()).video.bytesReceived;
  const destroyed = t.next(subscriber, 'destroyed');
  session.unsubscribe(subscriber);
  await destroyed;
  const again = await session.subscribe.promise(publisher.stream, t.box());
  const first = await t.until(async () => {
    const now = await again.getStats();
    return now.video.packetsReceived > 0 && now;
  }, 'statistics of the next');
  t.ok(first.video.bytesReceived < before, `it counts from the bind: ${first.video.bytesReceived} after ${before}`);
});

check('subscriber-sender-stats', async (t) => {
  // The one that was not asked to has had more time to say something when the other has spoken.
  const { session, subscriber: unasked } = await t.loop();
  const publisher = await t.published(session, { audioSource: t.toneTrack(), publishSenderStats: true });
  const subscriber = await session.subscribe.promise(publisher.stream, t.box());
  const estimates = /Chrom/.test(navigator.userAgent); // Firefox says 0
  const said = await t.until(async () => {
    const { senderStats } = await subscriber.getStats();
    return senderStats && (!estimates || senderStats.connectionEstimatedBandwidth > 0) && senderStats;
  }, 'what the sender says');
  t.equal(Object.keys(said).sort(), ['connectionEstimatedBandwidth', 'connectionMaxAllocatedBitrate'], 'the members');
  for (const value of Object.values(said)) t.ok(Number.isInteger(value) && value >= 0, `bits per second: ${value}`);
  if (estimates) t.ok(said.connectionMaxAllocatedBitrate > 100_000, `the most: ${said.connectionMaxAllocatedBitrate}`);
  t.ok(!('senderStats' in (await unasked.getStats())), 'no senderStats without the option');
});

check('subscriber-audio-level', async (t) => {
  const { subscriber } = await t.loop({ videoSource: null, audioSource: t.toneTrack(0.5) });
  const levels = [];
  subscriber.on('audioLevelUpdated', (event) => levels.push(event.audioLevel));
  await t.until(() => levels.filter((level) => level > 0.1 && level <= 1).length > 3, 'levels');
  const meter = subscriber.element.querySelector('.OT_audio-level-meter__value');
  t.ok(parseInt(meter.style.width) > 0, 'the meter moves');
});

check('subscriber-dimensions', async (t) => {
  const { publisher, subscriber } = await t.loop();
  await t.until(() => subscriber.videoWidth() === 320, 'a picture');
  const changed = t.next(subscriber, 'videoDimensionsChanged');
  await publisher.setPreferredResolution({ width: 160, height: 120 });
  const event = await changed;
  t.equal(event.oldValue, { width: 320, height: 240 }, 'oldValue');
  await t.until(() => subscriber.videoWidth() === 160, 'the new size');
  t.ok(event.newValue.width > 0, 'newValue');
});

check('subscriber-preferences', async (t) => {
  const frames = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    frames.push(JSON.parse(text)[2]);
    send.call(this, text);
  };
  t.cleanups.push(() => (WebSocket.prototype.send = send));
  const { subscriber } = await t.loop({}, { preferredResolution: { width: 640, height: 360 }, preferredFrameRate: 15 });
  const asked = frames.find(({ type }) => type === 'subscribe');
  t.equal([asked.resolution, asked.frameRate], [{ width: 640, height: 360 }, 15], 'the options');
  const last = () => frames.filter(({ type }) => type === 'updateSubscription').at(-1);
  await subscriber.setPreferredResolution({ width: 320, height: 180 });
  await subscriber.setPreferredFrameRate(7);
  t.equal([last().resolution, last().frameRate], [{ width: 320, height: 180 }, 7], 'the methods');
  t.ok(subscriber.restrictFrameRate(true) === subscriber, 'restrictFrameRate() returns the Subscriber');
  t.equal(last().frameRate, 1, 'restricted to one frame per second');
  await subscriber.restrictFrameRate.promise(false);
  await subscriber.setPreferredResolution(null);
  await subscriber.setPreferredFrameRate(null);
  t.equal([last().resolution, last().frameRate], [undefined, undefined], 'null clears');
  await t.rejected(subscriber.setPreferredResolution('huge'), 'OT_INVALID_PARAMETER', 1011);
  await t.rejected(subscriber.setPreferredFrameRate('fast'), 'OT_INVALID_PARAMETER', 1011);
  subscriber.element.scrollIntoView();
  await subscriber.setPreferredResolution('auto');
  await t.until(() => last().resolution?.width === Math.round(160 * devicePixelRatio), 'auto follows the element');
  subscriber.element.style.width = '400px';
  await t.until(() => last().resolution.width === Math.round(400 * devicePixelRatio), 'also when it is resized');
  subscriber.element.style.display = 'none';
  await t.until(() => last().resolution.width === 1, 'nobody sees it: the smallest will do');
  subscriber.element.style.display = '';
  await t.until(() => last().resolution.width === Math.round(400 * devicePixelRatio), 'seen again');
});

check('subscriber-captions', async (t) => {
  const { subscriber } = await t.loop({}, { subscribeToCaptions: true, captionsTranslationLanguage: 'de-DE' });
  t.equal([subscriber.isSubscribedToCaptions(), subscriber.getCaptionsTranslationLanguage()], [true, 'de-DE'], 'the options');
  await subscriber.subscribeToCaptions(false);
  await subscriber.setCaptionsTranslationLanguage(null);
  t.equal([subscriber.isSubscribedToCaptions(), subscriber.getCaptionsTranslationLanguage()], [false, null], 'the methods');
  await t.rejected(subscriber.setCaptionsTranslationLanguage('german'), 'OT_INVALID_PARAMETER', 1011);
});

check('subscriber-picture', async (t) => {
  const { subscriber } = await t.loop({ videoSource: t.canvasTrack('rgb(0, 160, 0)'), audioSource: null });
  const data = await t.until(() => subscriber.getImgData(), 'a picture');
  t.ok(data.startsWith('iVBOR'), 'bare base-64 of a PNG');
});

check('subscriber-processors', async (t) => {
  const { subscriber } = await t.loop({ videoSource: t.canvasTrack('rgb(200, 0, 0)'), audioSource: null });
  let destroyed = 0;
  const blue = t.canvasTrack('rgb(0, 0, 200)');
  await subscriber.setVideoMediaProcessorConnector({ setTrack: async () => blue, destroy: async () => { destroyed += 1; } });
  const video = subscriber.element.querySelector('video');
  t.ok(video.srcObject.getVideoTracks().includes(blue), 'the processed track is shown');
  await subscriber.setVideoMediaProcessorConnector(null);
  t.ok(!video.srcObject.getVideoTracks().includes(blue) && destroyed === 1, 'the track itself is back');
  await t.rejected(subscriber.setAudioMediaProcessorConnector('x'), 'OT_INVALID_PARAMETER', 1011);
});

check('subscriber-default-removal', async (t) => {
  const sessionId = await t.makeSession();
  const session = await t.connected('publisher', { sessionId });
  const ann = await t.other(sessionId);
  const publish = async () => {
    const created = t.next(session, 'streamCreated');
    const publisher = await ann.OT.initPublisher.promise(ann.window.document.body, { insertMode: 'append', videoSource: null });
    await ann.session.publish.promise(publisher);
    return [publisher, (await created).stream];
  };
  const [first, stream] = await publish();
  const subscriber = await session.subscribe.promise(stream, t.box());
  const destroyed = t.next(subscriber, 'destroyed');
  first.destroy();
  t.equal((await destroyed).reason, 'clientDisconnected', 'the reason');
  t.ok(!subscriber.element.isConnected, 'the element is gone');
  const [second, next] = await publish();
  const kept = await session.subscribe.promise(next, t.box());
  session.once('streamDestroyed', (event) => event.preventDefault());
  const gone = t.next(session, 'streamDestroyed');
  second.destroy();
  await gone;
  await session.signal({});
  t.ok(kept.element.isConnected, 'prevented, it stays');
});

check('subscriber-blocked-sound', async (t) => {
  const { session, publisher } = await t.loop({ audioSource: t.toneTrack() });
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    return this.muted ? play.call(this) : Promise.reject(new DOMException('not yet', 'NotAllowedError'));
  };
  t.cleanups.push(() => (HTMLMediaElement.prototype.play = play));
  const subscriber = session.subscribe(publisher.stream, t.box(), { testNetwork: true });
  await t.next(subscriber, 'audioBlocked');
  t.ok(subscriber.isAudioBlocked(), 'isAudioBlocked()');
  const button = subscriber.element.querySelector('.OT_audio-blocked-indicator');
  t.ok(getComputedStyle(button).display !== 'none', 'the play button is shown');
  HTMLMediaElement.prototype.play = play;
  const unblocked = t.next(subscriber, 'audioUnblocked');
  await OT.unblockAudio();
  await unblocked;
  t.ok(!subscriber.isAudioBlocked() && getComputedStyle(button).display === 'none', 'the sound plays');
});
