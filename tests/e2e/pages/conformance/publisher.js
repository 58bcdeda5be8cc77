// Sections 5, 12, 13, 14: publishers.
check('publisher-sequence', async (t) => {
  const told = [];
  const publisher = OT.initPublisher(t.box(), (error) => told.push(`handler ${error}`));
  t.cleanups.push(() => publisher.destroy());
  t.equal([publisher.accessAllowed, publisher.stream, publisher.session], [undefined, undefined, null], 'the properties before');
  for (const type of ['accessAllowed', 'accessDenied', 'accessDialogOpened', 'mediaStreamAvailable', 'videoElementCreated', 'loaded'])
    publisher.on(type, (event) => {
      t.ok(event.target === publisher, `target of ${type}`);
      if (type === 'videoElementCreated') t.ok(event.element instanceof HTMLVideoElement, 'the element');
      if (type === 'mediaStreamAvailable') t.ok(event.mediaStream instanceof MediaStream, 'the stream');
      told.push(type);
    });
  await t.until(() => told.includes('loaded'), 'loaded');
  t.equal(told.filter((type) => type !== 'accessDialogOpened'), ['accessAllowed', 'mediaStreamAvailable', 'videoElementCreated', 'handler undefined', 'loaded']);
  t.equal(publisher.accessAllowed, true, 'accessAllowed');
  t.equal([publisher.videoWidth(), publisher.videoHeight()], [640, 480], 'the size');
});

check('publisher-defaults', async (t) => {
  const publisher = await OT.initPublisher.promise(t.box());
  t.cleanups.push(() => publisher.destroy());
  const { element } = publisher;
  t.equal([element.style.width, element.style.height], ['264px', '198px'], 'the size');
  t.ok(element.classList.contains('OT_mirrored') && element.classList.contains('OT_fit-mode-cover'), 'mirrored and cover');
  const video = publisher.getVideoSource();
  t.equal([video.type, typeof video.deviceId, video.track.kind], ['camera', 'string', 'video'], 'the video source');
  t.equal(publisher.getAudioSource().kind, 'audio', 'the audio source');
  const { echoCancellation, noiseSuppression, autoGainControl } = publisher.getAudioSource().getSettings();
  t.equal([echoCancellation, noiseSuppression, autoGainControl], [true, true, true], 'the processing of sound');
  t.equal([publisher.getVideoContentHint(), publisher.getVideoFilter(), publisher.getAudioFilter()], ['', null, null], 'hint and filters');
  t.equal([publisher.getMaxVideoBitrate(), publisher.getVideoBitratePreset(), publisher.getTargetScalabilityMode()], [undefined, undefined, undefined], 'bitrates');
});

check('publisher-capture-options', async (t) => {
  const publisher = t.publisher({ resolution: '1280x720', frameRate: 15, disableAudioProcessing: true, videoContentHint: 'detail' });
  await t.next(publisher, 'accessAllowed');
  const { width, height, frameRate } = publisher.getVideoSource().track.getSettings();
  t.equal([width, height, Math.round(frameRate)], [1280, 720, 15], 'the capture');
  t.equal([publisher.videoWidth(), publisher.videoHeight()], [1280, 720], 'videoWidth and videoHeight');
  t.equal(publisher.getAudioSource().getSettings().echoCancellation, false, 'no processing of sound');
  t.equal(publisher.getVideoSource().track.contentHint, 'detail', 'the content hint');
  await publisher.setVideoContentHint('motion');
  t.equal([publisher.getVideoContentHint(), publisher.getVideoSource().track.contentHint], ['motion', 'motion'], 'the new hint');
  await t.rejected(publisher.setVideoContentHint('pretty'), 'OT_INVALID_PARAMETER', 1011);
  await publisher.setPreferredResolution({ width: 320, height: 240 });
  await publisher.setPreferredFrameRate(7);
  const now = publisher.getVideoSource().track.getSettings();
  t.equal([now.width, now.height, Math.round(now.frameRate)], [320, 240, 7], 'the preferred capture');
  for (const size of [undefined, {}, { width: 0, height: 0 }, { width: '1', height: '1' }])
    await t.rejected(publisher.setPreferredResolution(size), 'OT_INVALID_PARAMETER', 1011);
  await t.rejected(publisher.setPreferredFrameRate('fast'), 'OT_INVALID_PARAMETER', 1011);
});

check('publisher-stream-options', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session, { name: 'Desk', initials: 'DK', frameRate: 15, publishAudio: false, publishCaptions: true });
  const { stream } = publisher;
  t.equal([stream.name, stream.initials, stream.frameRate, stream.hasAudio, stream.hasVideo, stream.hasCaptions],
    ['Desk', 'DK', 15, false, true, true], 'the stream');
  const changed = t.next(session, 'streamPropertyChanged');
  await publisher.publishCaptions(false);
  const event = await changed;
  t.equal([event.changedProperty, event.newValue, stream.hasCaptions], ['hasCaptions', false, false], 'hasCaptions');
  t.equal(publisher.element.dataset.streamCreated, 'true', 'data-stream-created');
});

check('publisher-audio-only', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session, { videoSource: null });
  t.equal([publisher.stream.hasVideo, publisher.stream.videoType, publisher.stream.videoDimensions], [false, undefined, { width: 0, height: 0 }], 'the stream');
  t.ok(publisher.element.classList.contains('OT_audio-only'), 'OT_audio-only');
  t.equal(publisher.getVideoSource(), { deviceId: null, type: null, track: null }, 'the video source');
  const { stats: [{ stats }] } = { stats: await publisher.getStats() };
  t.ok(stats.audio && stats.video === undefined, 'a missing medium is absent from the statistics');
  await t.rejected(publisher.cycleVideo(), 'OT_SET_VIDEO_SOURCE_FAILURE', 1500);
});

check('publisher-no-media', async (t) => {
  const told = t.exceptions();
  const publisher = t.publisher({ audioSource: null, videoSource: null });
  await t.rejected(publisher._ready, 'OT_NO_VALID_CONSTRAINTS', 1500);
  await t.until(() => told.some((event) => event.code === 1500 && event.target === publisher), 'exception 1500');
  t.ok(publisher.destroy() === publisher, 'destroy() after an error');
});

check('publisher-unknown-device', async (t) => {
  for (const source of ['no such device', { deviceId: 'no such device' }]) {
    const [error] = await t.handled((done) => {
      const publisher = OT.initPublisher(t.box(), { videoSource: source, audioSource: null }, done);
      t.cleanups.push(() => publisher.destroy());
    });
    t.isError(error, 'OT_CONSTRAINTS_NOT_SATISFIED', 1500);
    t.ok(error.originalName && error.originalMessage !== undefined, 'the original error');
  }
});

check('publisher-refused', async (t) => {
  const capture = navigator.mediaDevices.getUserMedia;
  t.cleanups.push(() => delete navigator.mediaDevices.getUserMedia);
  for (const [browsers, ours] of [
    ['NotAllowedError', 'OT_USER_MEDIA_ACCESS_DENIED'],
    ['NotFoundError', 'OT_NO_DEVICES_FOUND'],
    ['NotReadableError', 'OT_HARDWARE_UNAVAILABLE'],
    ['OverconstrainedError', 'OT_CONSTRAINTS_NOT_SATISFIED'],
    ['StrangeError', 'OT_UNABLE_TO_CAPTURE_MEDIA'],
  ]) {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('browser words', browsers));
    const told = t.exceptions();
    const session = await t.connected();
    const publisher = t.publisher();
    const denied = ours === 'OT_USER_MEDIA_ACCESS_DENIED' ? t.next(publisher, 'accessDenied') : null;
    const [error] = await t.handled((done) => session.publish(publisher, done));
    t.isError(error, ours, 1500);
    t.equal(publisher.accessAllowed, false, 'accessAllowed');
    if (denied) {
      const event = await denied;
      t.ok(event.cancelable && /^(Microphone|Camera)/.test(event.message), `the words: ${event.message}`);
      t.ok(/^Publisher Access Denied/.test(error.message), `the message: ${error.message}`);
      await t.until(() => publisher.element.querySelector('[role=alert]'), 'the built-in words');
    }
    await t.until(() => told.some((event) => event.code === 1500), 'exception 1500');
    t.ok(session.isConnected(), 'the session goes on');
    await session.disconnect();
  }
  navigator.mediaDevices.getUserMedia = capture.bind(navigator.mediaDevices);
});

check('publisher-dialog', async (t) => {
  const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  t.cleanups.push(() => delete navigator.mediaDevices.getUserMedia);
  let answer;
  navigator.mediaDevices.getUserMedia = (wishes) => new Promise((resolve) => (answer = () => resolve(capture(wishes))));
  const told = [];
  const publisher = t.publisher();
  publisher.on('accessDialogOpened', (event) => told.push(`opened ${event.cancelable}`));
  publisher.on('accessDialogClosed accessAllowed', (event) => told.push(event.type));
  await t.until(() => told.length === 1, 'accessDialogOpened');
  await t.until(() => publisher.element.querySelector('.OT_message'), 'the built-in hint');
  answer();
  await t.until(() => told.length === 3, 'the rest');
  t.equal(told, ['opened true', 'accessDialogClosed', 'accessAllowed']);
  t.ok(!publisher.element.querySelector('.OT_message'), 'the hint is gone');
});

check('publisher-mute', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session);
  const { element } = publisher;
  const button = element.querySelector('.OT_mute');
  t.ok(publisher.publishAudio(false) === publisher, 'publishAudio() returns the Publisher');
  t.ok(button.classList.contains('OT_active'), 'the button shows it');
  t.equal(publisher.getAudioSource().enabled, false, 'the track');
  await t.until(() => !publisher.stream.hasAudio, 'hasAudio');
  button.click();
  t.ok(!button.classList.contains('OT_active'), 'the button unmutes');
  await t.until(() => publisher.stream.hasAudio, 'hasAudio again');
  t.ok(publisher.publishVideo(false) === publisher, 'publishVideo() returns the Publisher');
  t.ok(element.classList.contains('OT_audio-only'), 'OT_audio-only');
  await t.until(() => !publisher.stream.hasVideo, 'hasVideo');
  const [error] = await t.handled((done) => publisher.publishVideo(true, done));
  t.ok(!error && !element.classList.contains('OT_audio-only'), 'the video is back');
  t.equal([await publisher.publishAudio.promise(false), await publisher.publishVideo.promise(false)], [undefined, undefined], 'the promises');
});

check('publisher-releases-camera', async (t) => {
  const { publisher, subscriber } = await t.loop();
  await t.until(() => subscriber.videoWidth() > 0, 'a picture');
  const { track } = publisher.getVideoSource();
  publisher.publishVideo(false);
  t.equal(track.readyState, 'live', 'the camera stays open for a moment');
  await t.until(() => track.readyState === 'ended', 'the camera is let go');
  await publisher.publishVideo.promise(true);
  t.equal(publisher.getVideoSource().track.readyState, 'live', 'the camera is open again');
  const video = subscriber.element.querySelector('video');
  await t.moves(video);
});

check('publisher-cycle-video', async (t) => {
  const { publisher, subscriber } = await t.loop();
  const cameras = (await OT.getDevices()).filter(({ kind }) => kind === 'videoInput').map(({ deviceId }) => deviceId);
  t.ok(cameras.length > 1, 'there are several cameras');
  const first = publisher.getVideoSource().deviceId;
  const { deviceId } = await publisher.cycleVideo();
  t.ok(deviceId !== first && cameras.includes(deviceId), 'another camera');
  t.equal(publisher.getVideoSource().deviceId, deviceId, 'the camera in use');
  await publisher.setVideoSource(first);
  t.equal(publisher.getVideoSource().deviceId, first, 'setVideoSource');
  const video = subscriber.element.querySelector('video');
  await t.moves(video);
  await t.rejected(publisher.setVideoSource('no such camera'), 'OT_INVALID_VIDEO_SOURCE', 1500);
  await t.rejected(publisher.setVideoSource(5), 'OT_INVALID_VIDEO_SOURCE', 1500);
  t.equal(publisher.getVideoSource().track.readyState, 'live', 'the camera goes on');
  const custom = t.publisher({ videoSource: t.canvasTrack(), audioSource: null });
  await t.rejected(custom.cycleVideo(), 'OT_SET_VIDEO_SOURCE_FAILURE', 1500);
  await t.rejected(custom.setVideoSource(first), 'OT_SET_VIDEO_SOURCE_FAILURE', 1500);
});

check('publisher-audio-source', async (t) => {
  const { publisher, subscriber } = await t.loop({ videoSource: null, audioSource: t.toneTrack(0) });
  const levels = [];
  subscriber.on('audioLevelUpdated', ({ audioLevel }) => levels.push(audioLevel));
  const tone = t.toneTrack(0.6);
  await publisher.setAudioSource(tone);
  t.ok(publisher.getAudioSource() === tone, 'getAudioSource()');
  await t.until(() => levels.some((level) => level > 0.1), 'the new source is heard');
  const [microphone] = (await OT.getDevices()).filter(({ kind }) => kind === 'audioInput');
  await publisher.setAudioSource(microphone.deviceId);
  t.equal(publisher.getAudioSource().getSettings().deviceId, microphone.deviceId, 'the microphone');
  t.equal(tone.readyState, 'live', "the application's own track is left alone");
  await t.rejected(publisher.setAudioSource('no such microphone'), 'OT_INVALID_PARAMETER', 1011);
  await t.rejected(publisher.setAudioSource(null), 'OT_INVALID_PARAMETER', 1011);
  const silent = t.publisher({ audioSource: null, videoSource: t.canvasTrack() });
  await t.rejected(silent.setAudioSource(microphone.deviceId), 'OT_NOT_SUPPORTED', 1500);
  silent.destroy();
  await t.rejected(silent.setAudioSource(microphone.deviceId), 'OT_NOT_SUPPORTED', 1500);
});

check('publisher-unplugged-microphone', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session, { videoSource: null });
  const changed = t.next(publisher, 'audioInputDeviceChanged');
  const track = publisher.getAudioSource();
  track.stop();
  track.dispatchEvent(new Event('ended'));
  const { device } = await changed;
  t.ok(device.deviceId && device.label, 'the device');
  t.ok(publisher.getAudioSource() !== track && publisher.getAudioSource().readyState === 'live', 'another microphone');
  const unmanaged = t.publisher({ videoSource: null, disableAudioInputDeviceManagement: true });
  await t.next(unmanaged, 'accessAllowed');
  const stopped = t.next(unmanaged, 'mediaStopped');
  unmanaged.getAudioSource().stop();
  unmanaged.getAudioSource().dispatchEvent(new Event('ended'));
  t.equal([(await stopped).cancelable, (await stopped).track], [true, undefined], 'mediaStopped');
});

check('publisher-unplugged-camera', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session);
  const order = [];
  publisher.on('mediaStopped', (event) => order.push(`mediaStopped ${event.track.kind}`));
  publisher.on('streamDestroyed', (event) => order.push(`streamDestroyed ${event.reason}`));
  publisher.on('destroyed', () => order.push('destroyed'));
  const { track } = publisher.getVideoSource();
  track.stop();
  track.dispatchEvent(new Event('ended'));
  await t.until(() => order.length === 3, 'all is told');
  t.equal(order, ['mediaStopped video', 'streamDestroyed mediaStopped', 'destroyed']);
  const kept = await t.published(session);
  kept.on('mediaStopped', (event) => event.preventDefault());
  const stopped = t.next(kept, 'mediaStopped');
  kept.getVideoSource().track.stop();
  kept.getVideoSource().track.dispatchEvent(new Event('ended'));
  await stopped;
  await session.signal({});
  t.ok(kept.stream, 'prevented, it goes on');
});

check('publisher-custom-tracks', async (t) => {
  const [video, audio] = [t.canvasTrack(), t.toneTrack()];
  const { publisher, subscriber } = await t.loop({ videoSource: video, audioSource: audio });
  t.equal([publisher.stream.videoType, publisher.getVideoSource().type], ['custom', 'custom'], 'the type');
  t.ok(!publisher.element.classList.contains('OT_mirrored'), 'not mirrored');
  await t.until(() => subscriber.videoWidth() === 160, 'the picture');
  publisher.destroy();
  t.equal([video.readyState, audio.readyState], ['live', 'live'], "the application's tracks go on");
});

check('publisher-destroy', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session);
  const { track } = publisher.getVideoSource();
  const told = [];
  publisher.on('streamDestroyed', (event) => told.push(`streamDestroyed ${event.reason}`));
  publisher.on('destroyed', (event) => told.push(`destroyed ${event.cancelable}`));
  const { element } = publisher;
  t.ok(publisher.destroy() === publisher, 'destroy() returns the Publisher');
  await publisher.destroy.promise();
  await t.until(() => told.length === 2, 'all is told');
  t.equal(told, ['streamDestroyed clientDisconnected', 'destroyed false']);
  t.ok(!element.isConnected && track.readyState === 'ended', 'element and camera are gone');
});

check('publisher-picture', async (t) => {
  const publisher = t.publisher({ videoSource: t.canvasTrack('rgb(200, 0, 0)'), audioSource: null });
  t.equal(publisher.getImgData(), null, 'no picture yet');
  await t.next(publisher, 'loaded');
  const data = publisher.getImgData();
  t.ok(data.startsWith('iVBOR'), 'bare base-64 of a PNG');
  const image = new Image();
  image.src = `data:image/png;base64,${data}`;
  await image.decode();
  t.equal([image.width, image.height], [160, 120], 'its size');
});

check('publisher-stats', async (t) => {
  const { publisher } = await t.loop();
  const read = async () => (await publisher.getStats())[0].stats;
  await t.until(async () => (await read()).video.bytesSent > 5000, 'bytes are sent');
  const stats = await t.until(async () => {
    const now = await read();
    return now.video.layers[0]?.bitrate > 0 && now;
  }, 'a bitrate');
  for (const medium of [stats.audio, stats.video])
    for (const key of ['bytesSent', 'packetsSent', 'packetsLost']) t.equal(typeof medium[key], 'number', key);
  const [layer] = stats.video.layers;
  t.ok(['VP8', 'VP9', 'H264'].includes(layer.codec) && layer.width > 0 && layer.height > 0, 'codec and size of a layer');
  t.ok(Math.abs(stats.timestamp - Date.now()) < 60_000, 'timestamp');
  t.ok('connectionEstimatedBandwidth' in stats.mediaLink.transport && 'networkCondition' in stats.transportStats, 'the transport');
  const [error, handled] = await t.handled((done) => publisher.getStats(done));
  t.ok(!error && handled.length === 1 && handled[0].connectionId === undefined, 'the handler; one entry without ids');
  const [{ rtcStatsReport }] = await publisher.getRtcStatsReport();
  t.ok([...rtcStatsReport.values()].some(({ type }) => type === 'outbound-rtp'), 'the report of the browser');
  const idle = t.publisher({ videoSource: t.canvasTrack(), audioSource: null });
  await t.rejected(idle.getStats(), 'OT_NOT_CONNECTED', 1010);
  await t.rejected(idle.getRtcStatsReport(), 'OT_NOT_CONNECTED', 1010);
});

check('publisher-audio-level', async (t) => {
  const publisher = t.publisher({ videoSource: null, audioSource: t.toneTrack(0.5) });
  const levels = [];
  const note = (event) => levels.push(event.audioLevel);
  publisher.on('audioLevelUpdated', note);
  await t.until(() => levels.filter((level) => level > 0.3 && level <= 1).length > 5, 'levels near the amplitude');
  publisher.publishAudio(false);
  await t.until(() => levels.at(-1) === 0, 'a muted microphone is silent');
  publisher.off('audioLevelUpdated', note);
  const meter = publisher.element.querySelector('.OT_audio-level-meter__value');
  publisher.publishAudio(true);
  await t.until(() => parseInt(meter.style.width) > 30, 'the meter moves while there is no picture');
});

check('publisher-dimensions', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session);
  await t.until(() => publisher.element.querySelector('video').videoWidth > 0, 'a picture');
  const changed = t.next(publisher, 'videoDimensionsChanged');
  const told = t.next(session, 'streamPropertyChanged');
  await publisher.setPreferredResolution({ width: 640, height: 480 });
  const event = await changed;
  t.equal([event.oldValue, event.newValue], [{ width: 320, height: 240 }, { width: 640, height: 480 }], 'the sizes');
  const property = await told;
  t.equal([property.changedProperty, property.newValue], ['videoDimensions', { width: 640, height: 480 }], 'the property');
});

check('publisher-bitrates', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session);
  await publisher.setMaxVideoBitrate(150_000);
  t.equal([publisher.getMaxVideoBitrate(), publisher.getVideoBitratePreset()], [150_000, 'custom'], 'a raw bitrate');
  await publisher.setVideoBitratePreset('BW_SAVER');
  t.equal(publisher.getVideoBitratePreset(), 'bw_saver', 'a preset');
  const saver = publisher.getMaxVideoBitrate();
  await publisher.setVideoBitratePreset('extra_bw_saver');
  t.ok(publisher.getMaxVideoBitrate() < saver, 'extra saves more');
  await publisher.setVideoBitratePreset('default');
  for (const bad of [4_999, 10_000_001, '300000', undefined, NaN])
    await t.rejected(publisher.setMaxVideoBitrate(bad), 'OT_INVALID_PARAMETER', 1011);
  for (const bad of ['tiny', undefined, 'custom']) await t.rejected(publisher.setVideoBitratePreset(bad), 'OT_INVALID_PARAMETER', 1011);
  const custom = t.publisher({ videoSource: t.canvasTrack(), audioSource: null });
  await t.rejected(custom.setMaxVideoBitrate(100_000), 'OT_UNEXPECTED_ERROR_CODE', 2000);
  publisher.setTargetScalabilityMode('L1T3');
  t.equal(publisher.getTargetScalabilityMode(), 'L1T3', 'the scalability mode');
  publisher.setTargetScalabilityMode('L9T9');
  t.equal(publisher.getTargetScalabilityMode(), 'L1T3', 'an unknown mode is ignored');
});

check('publisher-scalable', async (t) => {
  const session = await t.connected();
  for (const scalableVideo of [undefined, false]) {
    const publisher = await t.published(session, { scalableVideo, resolution: '640x480' });
    await t.until(async () => {
      const [{ rtcStatsReport }] = await publisher.getRtcStatsReport();
      const sent = [...rtcStatsReport.values()].filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
      return sent.length === (scalableVideo === false ? 1 : 2);
    }, `the layers with ${scalableVideo}`);
    publisher.destroy();
    await t.until(() => publisher.stream === undefined, 'the end');
  }
});

check('publisher-codecs-and-sound', async (t) => {
  const session = await t.connected();
  for (const codec of ['vp9', 'vp8']) {
    const publisher = await t.published(session, { preferredVideoCodecs: [codec], audioBitrate: 24_000, enableDtx: true, enableStereo: true });
    const stats = await t.until(async () => {
      const [{ stats: now }] = await publisher.getStats();
      return now.video.layers[0]?.codec && now;
    }, 'a codec');
    t.equal(stats.video.layers[0].codec, codec.toUpperCase(), 'the codec');
    const [{ rtcStatsReport }] = await publisher.getRtcStatsReport();
    const opus = [...rtcStatsReport.values()].find(({ type, mimeType }) => type === 'codec' && mimeType === 'audio/opus');
    t.ok(/usedtx=1/.test(opus.sdpFmtpLine) && /stereo=1/.test(opus.sdpFmtpLine), `the parameters of Opus: ${opus.sdpFmtpLine}`);
    publisher.destroy();
    await t.until(() => publisher.stream === undefined, 'the end');
  }
});

check('publisher-filters', async (t) => {
  const publisher = t.publisher();
  await t.rejected(publisher.applyVideoFilter({ type: 'backgroundBlur', blurStrength: 'low' }), 'OT_NOT_SUPPORTED', 1500);
  await t.rejected(publisher.applyVideoFilter({ type: 'backgroundReplacement', backgroundImgUrl: '/x.png' }), 'OT_NOT_SUPPORTED', 1500);
  await t.rejected(publisher.applyAudioFilter({ type: 'advancedNoiseSuppression' }), 'OT_NOT_SUPPORTED', 1500);
  for (const bad of [undefined, null, 'blur', {}, { type: 'sepia' }, { type: 'backgroundBlur', blurStrength: 'huge' }])
    await t.rejected(publisher.applyVideoFilter(bad), 'OT_INVALID_PARAMETER', 1011);
  await publisher.clearVideoFilter();
  await publisher.clearAudioFilter();
  t.equal([publisher.getVideoFilter(), publisher.getAudioFilter()], [null, null], 'the filters');
});

check('publisher-processors', async (t) => {
  const { publisher, subscriber } = await t.loop({ videoSource: t.canvasTrack('rgb(200, 0, 0)'), audioSource: t.toneTrack(0) });
  const given = [];
  let destroyed = 0;
  const connector = (track) => ({
    setTrack: async (from) => { given.push(from); return track; },
    destroy: async () => { destroyed += 1; },
  });
  await publisher.setVideoMediaProcessorConnector(connector(t.canvasTrack('rgb(0, 0, 200)')));
  await publisher.setAudioMediaProcessorConnector(connector(t.toneTrack(0.6)));
  t.equal(given.map(({ kind }) => kind), ['video', 'audio'], 'what the processors are given');
  const video = subscriber.element.querySelector('video');
  const pen = new OffscreenCanvas(8, 8).getContext('2d');
  const colour = () => {
    pen.drawImage(video, 60, 60, 8, 8, 0, 0, 8, 8);
    const [red, , blue] = pen.getImageData(4, 4, 1, 1).data;
    return red > 120 ? 'red' : blue > 120 ? 'blue' : 'none';
  };
  await t.until(() => colour() === 'blue', 'the processed picture arrives');
  const levels = [];
  subscriber.on('audioLevelUpdated', ({ audioLevel }) => levels.push(audioLevel));
  await t.until(() => levels.some((level) => level > 0.1), 'the processed sound arrives');
  await t.rejected(publisher.applyVideoFilter({ type: 'backgroundBlur' }), 'OT_NOT_SUPPORTED', 1500);
  await publisher.setVideoMediaProcessorConnector(null);
  await t.until(() => colour() === 'red', 'the picture itself is back');
  t.equal(destroyed, 1, 'the processor is destroyed');
  await t.rejected(publisher.setVideoMediaProcessorConnector({}), 'OT_INVALID_PARAMETER', 1011);
  await publisher.setAudioMediaProcessorConnector(null);
});

check('screen-sharing', async (t) => {
  const session = await t.connected();
  const publisher = t.publisher({ videoSource: 'screen', resolution: undefined });
  const ready = t.next(publisher, 'accessAllowed');
  await session.publish.promise(publisher);
  await ready;
  const { stream, element } = publisher;
  t.equal([stream.videoType, stream.hasAudio, publisher.getVideoSource().type], ['screen', false, 'screen'], 'the stream');
  t.ok(!element.classList.contains('OT_mirrored') && element.classList.contains('OT_fit-mode-contain'), 'not mirrored, contained');
  const subscriber = await session.subscribe.promise(stream, t.box());
  t.ok(subscriber.element.classList.contains('OT_fit-mode-contain'), 'subscribers contain it too');
  const order = [];
  publisher.on('mediaStopped', (event) => order.push(`mediaStopped ${event.track}`));
  publisher.on('streamDestroyed', (event) => order.push(`streamDestroyed ${event.reason}`));
  publisher.on('destroyed', () => order.push('destroyed'));
  // The user presses the browser's own button.
  const { track } = publisher.getVideoSource();
  track.stop();
  track.dispatchEvent(new Event('ended'));
  await t.until(() => order.length === 3, 'all is told');
  t.equal(order, ['mediaStopped undefined', 'streamDestroyed mediaStopped', 'destroyed']);
});

check('quality-events', async (t) => {
  const { publisher, subscriber } = await t.loop({ audioSource: t.toneTrack() });
  const [sent, received, scored] = await Promise.all([
    t.next(publisher, 'networkConditionChanged'),
    t.next(subscriber, 'networkConditionChanged'),
    t.next(subscriber, 'qualityScoreChanged'),
  ]);
  t.equal([sent.reason, received.reason], ['networkConditionChanged', 'networkConditionChanged'], 'the reasons');
  const conditions = ['unknown', 'critical', 'warning', 'fair', 'good', 'excellent'];
  t.ok(conditions.includes(sent.statsContainer.stats.mediaLink.transport.networkCondition), 'the condition of the Publisher');
  t.ok(conditions.includes(received.stats.mediaLink.transport.networkCondition), 'the condition of the Subscriber');
  for (const score of [scored.qualityScore.audioQualityScore, scored.qualityScore.videoQualityScore])
    t.ok(Number.isInteger(score) && score >= 1 && score <= 5, `a score: ${score}`);
  const changed = t.next(publisher, 'videoQualityChanged');
  await publisher.setPreferredResolution({ width: 640, height: 480 });
  t.ok(['resolutionChange', 'bandwidth', 'cpu', 'none', 'other'].includes((await changed).reason), 'videoQualityChanged');
});

check('audio-acquisition', async (t) => {
  const session = await t.connected();
  const publisher = await t.published(session, { videoSource: null });
  const problem = t.next(publisher, 'audioAcquisitionProblem');
  const track = publisher.getAudioSource();
  Object.defineProperty(track, 'muted', { value: true }); // as when another program takes the microphone
  track.dispatchEvent(new Event('mute'));
  const event = await problem;
  t.ok(event.target === publisher && !event.cancelable, 'the event');
});
