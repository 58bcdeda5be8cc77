// What applications write, and what the compiler must refuse. Nothing here runs: `tsc` is the test, against the sources
// with every lint, and against the package as it is installed in tests/integration/test_package.py.
import OT, { initPublisher, initSession, type Publisher, type Session, type Subscriber } from '@opentok/client';
import * as Everything from '@opentok/client';

declare const stream: OT.Stream;
declare const connection: OT.Connection;
declare const element: HTMLElement;
declare const track: MediaStreamTrack;
declare const error: (error?: OT.OTError) => void;
declare const connector: OT.MediaProcessorConnector;

// ---- the forms of import are one type
export const session: Session = OT.initSession('123', '2_MX');
export const sameSession: OT.Session = initSession('123', '2_MX');
export const againSession: Everything.Session = Everything.initSession(123, '2_MX');
export const publisher: Publisher = initPublisher();
declare const subscriber: Subscriber;

export async function namespace(): Promise<void> {
  OT.setServerUrl('https://video.example.org');
  OT.initSession('123', '2_MX', {
    connectionEventsSuppressed: true,
    encryptionSecret: 'long enough',
    iceConfig: {
      includeServers: 'custom',
      transportPolicy: 'relay',
      customServers: [
        { urls: 'turn:turn.example.org', username: 'me', credential: 'secret' },
        { urls: ['stun:a', 'stun:b'] },
      ],
    },
    ipWhitelist: true,
    sessionMigration: true,
    singlePeerConnection: true,
  });
  OT.initSession('2_MX');
  const can: boolean = OT.checkSystemRequirements() === OT.HAS_REQUIREMENTS;
  if (!can) OT.upgradeSystemRequirements();
  OT.getDevices((failure, devices) => {
    if (failure) return failure.message;
    return devices?.filter(({ kind }) => kind === 'videoInput').map(({ deviceId, label }) => deviceId + label);
  });
  const devices: OT.Device[] = await OT.getDevices();
  const outputs: OT.AudioOutputDevice[] = await OT.getAudioOutputDevices();
  const { label } = await OT.getActiveAudioOutputDevice();
  await OT.setAudioOutputDevice(outputs[0]?.deviceId ?? 'default');
  const media: MediaStream = await OT.getUserMedia({ audioSource: devices[0]?.deviceId ?? null, videoSource: false });
  await OT.getUserMedia();
  const { videoEncoders, videoDecoders } = await OT.getSupportedCodecs();
  OT.checkScreenSharingCapability((response) => response.supported && response.extensionRegistered === undefined);
  const { supported }: OT.ScreenSharingCapabilityResponse = await OT.checkScreenSharingCapability();
  OT.registerScreenSharingExtension('chrome', 'id', 2);
  const support: boolean = OT.hasMediaProcessorSupport() && OT.hasMediaProcessorSupport('both');
  const later: boolean = await OT.hasMediaProcessorSupport.promise('audio');
  const encrypts: boolean = OT.hasEndToEndEncryptionSupport();
  OT.setProxyUrl('https://proxy.example.org');
  await OT.unblockAudio();
  OT.setLogLevel(OT.DEBUG);
  for (const level of [OT.NONE, OT.ERROR, OT.WARN, OT.INFO, OT.LOG]) OT.setLogLevel(level);
  OT.log('hello');
  OT.reportIssue((failure, id) => failure?.name ?? id?.toUpperCase());
  const issue: string = await OT.reportIssue();
  OT.on('exception', ({ code, title, message, target }) => [code.toFixed(), title, message, target]);
  OT.once('exception', (event) => event.code)
    .off('exception')
    .off();
  OT.sessions.find()?.disconnect();
  OT.publishers.forEach((one) => one.destroy());
  const blocked = OT.subscribers.where((one) => one.isAudioBlocked()).length + OT.subscribers.length();
  OT.$.eventing({});
  OT.analytics.logEvent('x');
  console(
    label,
    media,
    videoEncoders,
    videoDecoders,
    supported,
    support,
    later,
    encrypts,
    issue,
    blocked,
    OT.properties.version,
  );

  // @ts-expect-error a session id is missing; one text alone is the id
  OT.initSession(123);
  // @ts-expect-error not an option
  OT.initSession('123', '2_MX', { iceConfig: { transportPolicy: 'none' } });
  // @ts-expect-error an address is needed
  OT.setServerUrl();
  // @ts-expect-error no such kind
  OT.hasMediaProcessorSupport('picture');
  // @ts-expect-error no such member
  OT.initSessions('123', '2_MX');
  // @ts-expect-error it takes a text
  await OT.setAudioOutputDevice(1);
}

export async function makingPublishers(): Promise<void> {
  OT.initPublisher(error);
  OT.initPublisher('me', error);
  OT.initPublisher(element, { name: 'Ann' });
  OT.initPublisher({ insertDefaultUI: false });
  OT.initPublisher({ publishAudio: false }, error);
  OT.initPublisher(null, {}, error);
  OT.initPublisher(undefined, {
    videoSource: 'screen',
    audioSource: true,
    maxResolution: { width: 1920, height: 1080 },
  });
  OT.initPublisher('me', {
    audioBitrate: 40_000,
    audioFallback: { publisher: true, subscriber: false },
    audioFallbackEnabled: true,
    audioFilter: { type: 'advancedNoiseSuppression' },
    audioSource: track,
    autoGainControl: true,
    constraints: { audio: true, video: { width: 640 } },
    disableAudioInputDeviceManagement: true,
    disableAudioProcessing: false,
    echoCancellation: true,
    enableDtx: true,
    enableStereo: true,
    facingMode: 'user',
    fitMode: 'contain',
    frameRate: 15,
    height: 240,
    initials: 'AB',
    insertDefaultUI: true,
    insertMode: 'append',
    mirror: false,
    name: 'Ann',
    noiseSuppression: true,
    preferredVideoCodecs: ['vp9', 'vp8', 'h264'],
    publishAudio: true,
    publishCaptions: true,
    publishSenderStats: true,
    publishVideo: true,
    resolution: '1280x720',
    scalableScreenshare: true,
    scalableVideo: true,
    showControls: false,
    style: { archiveStatusDisplayMode: 'off', backgroundImageURI: 'https://a.example/b.png', nameDisplayMode: 'on' },
    usePreviousDeviceSelection: true,
    videoContentHint: 'detail',
    videoFilter: { type: 'backgroundBlur', blurStrength: 'high' },
    videoSource: { deviceId: 'x' },
    width: '100%',
  });
  const made: OT.Publisher = await OT.initPublisher.promise('me', { preferredVideoCodecs: 'automatic' });
  await OT.initPublisher.promise({ videoSource: null });
  console(made);

  // @ts-expect-error no such size
  OT.initPublisher('me', { resolution: '641x480' });
  // @ts-expect-error no such rate
  OT.initPublisher('me', { frameRate: 31 });
  // @ts-expect-error no such option
  OT.initPublisher('me', { publishSound: true });
  // @ts-expect-error a blur has no such strength
  OT.initPublisher('me', { videoFilter: { type: 'backgroundBlur', blurStrength: 'medium' } });
  // @ts-expect-error a number is no target
  OT.initPublisher(5, { name: 'Ann' });
}

export async function usingSessions(): Promise<void> {
  session.connect('token', error).on('sessionConnected', ({ target }) => target.connection?.connectionId);
  session.connect('123', 'token', error);
  const joined: OT.Session = await session.connect.promise('token');
  session.publish(publisher, error).on('streamCreated', (event) => event.stream.streamId);
  session.publish('me', { name: 'Ann' }, error);
  session.publish(element, error);
  session.publish(error);
  session.publish();
  const published: OT.Publisher = await session.publish.promise(publisher);
  await session.publish.promise('me', { name: 'Ann' });
  session.unpublish(publisher);
  const watching: OT.Subscriber = session.subscribe(stream, 'them', { audioVolume: 50, testNetwork: true }, error);
  session.subscribe(stream);
  session.subscribe(stream, error);
  session.subscribe(stream, element, error);
  session.subscribe(stream, { preferredResolution: 'auto', preferredFrameRate: 15 }, error);
  session.subscribe(stream, null, {
    captionsTranslationLanguage: 'de-DE',
    fitMode: 'cover',
    height: 198,
    insertDefaultUI: true,
    insertMode: 'before',
    preferredResolution: { width: 320, height: 240 },
    showControls: true,
    style: { audioBlockedDisplayMode: 'off', audioLevelDisplayMode: 'auto', buttonDisplayMode: 'on' },
    subscribeToAudio: true,
    subscribeToCaptions: true,
    subscribeToVideo: false,
    width: 264,
  });
  await session.subscribe.promise(stream, 'them', {});
  await session.subscribe.promise(stream, { insertDefaultUI: false });
  session.unsubscribe(watching);
  session.signal({ type: 'chat', data: 'hello', to: connection, retryAfterReconnect: false }, error);
  await session.signal({});
  session.forceDisconnect(connection, error);
  await session.forceDisconnect('connection id');
  session.forceUnpublish(stream, error);
  await session.forceUnpublish('stream id');
  await session.forceMuteStream(stream);
  await session.forceMuteAll([stream]);
  await session.forceMuteAll();
  await session.disableForceMute();
  await session.setEncryptionSecret('another secret');
  await session.setIceConfig({ transportPolicy: 'relay' });
  const own: OT.Publisher | undefined = session.getPublisherForStream(stream);
  const [first]: OT.Subscriber[] = session.getSubscribersForStream(stream);
  await session.disconnect();
  const { publish, subscribe, forceDisconnect, forceUnpublish, forceMute } = session.capabilities;
  const state = [
    session.sessionId,
    session.id,
    session.apiKey,
    session.token,
    session.currentState,
    session.is('connected'),
  ];
  const present = session.connected && session.isConnected();
  session.streams.forEach(({ streamId, hasAudio, videoDimensions: { width } }) => [streamId, hasAudio, width]);
  session.connections.find({ id: 'x' })?.data.trim();
  console(
    joined,
    published,
    own,
    first,
    publish,
    subscribe,
    forceDisconnect,
    forceUnpublish,
    forceMute,
    state,
    present,
  );

  // @ts-expect-error a token is needed
  session.connect(error);
  // @ts-expect-error a stream is needed
  session.subscribe('them', error);
  // @ts-expect-error no such option
  session.subscribe(stream, 'them', { audioVolumes: 5 });
  // @ts-expect-error data is a text
  session.signal({ data: { text: 'hello' } });
  // @ts-expect-error a Publisher is needed
  session.unpublish(subscriber);
  // @ts-expect-error a moderator mutes streams, not connections
  await session.forceMuteStream(connection);
  // @ts-expect-error nobody sets it
  session.sessionId = '';
  // @ts-expect-error the library's own
  session._networkChanged();
}

export function hearingOfEvents(): void {
  session.on({
    sessionDisconnected: (event) => {
      if (event.reason === 'networkDisconnected') event.preventDefault();
    },
    connectionCreated: ({ connection: { connectionId, creationTime, data } }) => [connectionId, creationTime + 1, data],
    connectionDestroyed: ({ connection: gone, reason }) => [gone.connectionId, reason],
    streamDestroyed: (event) => event.stream.name + event.reason + String(event.isDefaultPrevented()),
    sessionReconnecting: () => undefined,
    sessionReconnected: ({ type }) => type,
    muteForced: ({ active }) => active,
    archiveStarted: ({ id, name }) => id + name,
    archiveStopped: ({ id }) => id,
    cpuPerformanceChanged: ({ cpuPerformanceState }) => cpuPerformanceState,
  });
  session.on('streamPropertyChanged', (event) => {
    if (event.changedProperty === 'videoDimensions') return event.newValue.width - event.oldValue.width;
    return event.changedProperty === 'hasAudio' ? Number(event.newValue) : 0;
  });
  session.on('signal', ({ type, data, from }) => type + (data ?? '') + (from?.data ?? ''), { a: 'context' });
  session.on('signal:chat', ({ data }) => data?.length);
  session.on('streamCreated streamDestroyed', (event) => event.stream);
  session.once('sessionConnected', error as () => void);
  session.off('signal:chat').off('signal', () => undefined, session);
  session.off({ streamCreated: () => undefined });
  session.off();
  session.addEventListener('sessionConnected', () => undefined);
  session.removeEventListener('sessionConnected', () => undefined);
  const annotated = (event: OT.Event<'streamCreated', OT.Session> & { stream: OT.Stream }): string => event.stream.id;
  session.on('streamCreated', annotated);
  stream.on('streamPropertyChanged', ({ target }) => target.hasVideo);

  publisher.on({
    accessAllowed: () => undefined,
    accessDenied: (event) => {
      event.preventDefault();
      return event.message;
    },
    accessDialogClosed: () => undefined,
    accessDialogOpened: (event) => {
      event.preventDefault();
    },
    audioInputDeviceChanged: ({ device }) => device.label,
    audioLevelUpdated: ({ audioLevel }) => audioLevel * 2,
    destroyed: ({ target }) => target.id,
    mediaStopped: ({ track: stopped }) => stopped?.kind,
    mediaStreamAvailable: ({ mediaStream }) => mediaStream.getTracks(),
    muteForced: () => undefined,
    networkConditionChanged: ({ reason, statsContainer }) => reason + String(statsContainer.stats.timestamp),
    streamCreated: ({ stream: mine }) => mine.streamId,
    streamDestroyed: (event) => event.reason,
    videoDimensionsChanged: ({ oldValue, newValue }) => oldValue.width - newValue.width,
    videoDisabled: ({ reason }) => reason,
    videoDisableWarning: () => undefined,
    videoDisableWarningLifted: () => undefined,
    videoElementCreated: ({ element: video }) => video.videoWidth,
    videoEnabled: ({ reason }) => reason,
    videoQualityChanged: ({ statsContainer }) => statsContainer.stats.video?.layers.length,
  });
  subscriber.on({
    audioBlocked: () => undefined,
    audioLevelUpdated: ({ audioLevel }) => audioLevel.toFixed(2),
    audioUnblocked: () => undefined,
    captionReceived: ({ streamId, caption, isFinal }) => (isFinal ? streamId + caption : ''),
    connected: () => undefined,
    destroyed: ({ reason }) => reason,
    disconnected: () => undefined,
    encryptionSecretMatch: () => undefined,
    encryptionSecretMismatch: () => undefined,
    mediaStreamAvailable: ({ mediaStream }) => mediaStream.id,
    networkConditionChanged: ({ stats }) => stats.mediaLink.transport.networkCondition,
    qualityScoreChanged: ({ qualityScore }) =>
      (qualityScore.audioQualityScore ?? 0) + (qualityScore.videoQualityScore ?? 0),
    videoDimensionsChanged: ({ newValue: { height } }) => height,
    videoDisabled: ({ reason }) => reason,
    videoDisableWarning: () => undefined,
    videoDisableWarningLifted: () => undefined,
    videoElementCreated: ({ element: video }) => video.play(),
    videoEnabled: ({ reason }) => reason,
    videoQualityChanged: ({ reason }) => reason,
  });

  // @ts-expect-error this event has no stream
  session.on('sessionConnected', ({ stream: none }) => none);
  // @ts-expect-error a handler is a function
  session.on('sessionConnected', 'handler');
  // @ts-expect-error a Publisher has no connection events among its own
  publisher.on({ connectionCreated: () => undefined });
  // @ts-expect-error a level is a number
  subscriber.on('audioLevelUpdated', ({ audioLevel }) => audioLevel.trim());
}

export async function usingPublishers(): Promise<void> {
  publisher.publishAudio(false).publishVideo(true, error).setStyle('nameDisplayMode', 'off');
  await publisher.publishAudio.promise(true);
  await publisher.publishVideo.promise(false);
  await publisher.publishCaptions(true);
  const { deviceId }: { deviceId: string } = await publisher.cycleVideo();
  await publisher.setVideoSource(deviceId);
  await publisher.setAudioSource('microphone');
  await publisher.setAudioSource(track);
  const { type, track: picture } = publisher.getVideoSource();
  publisher.getAudioSource()?.stop();
  publisher.setStyle({ backgroundImageURI: publisher.getImgData() ?? '', audioLevelDisplayMode: 'on' });
  const mode: OT.DisplayMode = publisher.getStyle('archiveStatusDisplayMode');
  const { buttonDisplayMode, videoDisabledDisplayMode } = publisher.getStyle();
  const area = (publisher.videoWidth() ?? 0) * (publisher.videoHeight() ?? 0);
  publisher.getStats((failure, stats) => failure?.code ?? stats?.[0]?.stats.audio?.bytesSent);
  const [sent]: OT.PublisherStatsArr = await publisher.getStats();
  const [report]: OT.PublisherRtcStatsReportArr = await publisher.getRtcStatsReport();
  await publisher.setVideoContentHint('motion');
  await publisher.setPreferredResolution({ width: 640, height: 360 });
  await publisher.setPreferredFrameRate(15);
  await publisher.setMaxVideoBitrate(500_000);
  await publisher.setVideoBitratePreset('bw_saver');
  publisher.setTargetScalabilityMode('L3T3');
  const encoding = [
    publisher.getVideoContentHint(),
    publisher.getMaxVideoBitrate(),
    publisher.getVideoBitratePreset(),
    publisher.getTargetScalabilityMode(),
  ];
  await publisher.applyVideoFilter({ type: 'backgroundReplacement', backgroundImgUrl: 'https://a.example/b.png' });
  await publisher.clearVideoFilter();
  await publisher.applyAudioFilter({ type: 'advancedNoiseSuppression' });
  await publisher.clearAudioFilter();
  const filters = [publisher.getVideoFilter()?.type, publisher.getAudioFilter()?.type];
  await publisher.setVideoMediaProcessorConnector(connector);
  await publisher.setAudioMediaProcessorConnector(null);
  const about = [
    publisher.accessAllowed,
    publisher.element,
    publisher.id,
    publisher.session,
    publisher.stream,
    publisher.streamId,
  ];
  publisher.destroy();
  await publisher.destroy.promise();
  console(
    type,
    picture,
    mode,
    buttonDisplayMode,
    videoDisabledDisplayMode,
    area,
    sent,
    report,
    encoding,
    filters,
    about,
  );

  // @ts-expect-error no such mode
  publisher.setTargetScalabilityMode('L4T1');
  // @ts-expect-error no such preset can be set
  await publisher.setVideoBitratePreset('custom');
  // @ts-expect-error a size has two sides
  await publisher.setPreferredResolution({ width: 640 });
  // @ts-expect-error no such key
  publisher.setStyle('nameMode', 'off');
  // @ts-expect-error no such value
  publisher.setStyle('nameDisplayMode', 'sometimes');
  // @ts-expect-error whether to publish is to be said
  publisher.publishAudio();
  // @ts-expect-error an object of the library's is not made by an application
  new OT.Publisher();
}

export async function usingSubscribers(): Promise<void> {
  subscriber.subscribeToAudio(false).subscribeToVideo(true).setAudioVolume(50).restrictFrameRate(true, error);
  await subscriber.subscribeToAudio.promise(true, 'reason');
  await subscriber.subscribeToVideo.promise(true, 'reason');
  await subscriber.setAudioVolume.promise(100);
  await subscriber.restrictFrameRate.promise(false);
  const volume: number = subscriber.getAudioVolume();
  await subscriber.setPreferredResolution({ width: 640, height: 480 });
  await subscriber.setPreferredResolution('auto');
  await subscriber.setPreferredResolution(null);
  await subscriber.setPreferredFrameRate(15);
  await subscriber.setPreferredFrameRate(null);
  await subscriber.subscribeToCaptions(true);
  await subscriber.setCaptionsTranslationLanguage('fr-FR');
  await subscriber.setCaptionsTranslationLanguage(null);
  const captions = [subscriber.isSubscribedToCaptions(), subscriber.getCaptionsTranslationLanguage()];
  const blocked: boolean = subscriber.isAudioBlocked();
  const picture: string | null = subscriber.getImgData();
  subscriber.setStyle({ audioBlockedDisplayMode: 'auto' }).setStyle('backgroundImageURI', null);
  const style: OT.SubscriberStyle = subscriber.getStyle();
  const size = [subscriber.videoWidth(), subscriber.videoHeight()];
  subscriber.getStats((failure, stats) => failure?.message ?? stats?.video?.frameRate);
  const { audio, video, mediaLink }: OT.SubscriberStats = await subscriber.getStats();
  const received = (audio?.bytesReceived ?? 0) + (video?.packetsLost ?? 0);
  const report: RTCStatsReport = await subscriber.getRtcStatsReport();
  await subscriber.setVideoMediaProcessorConnector(connector);
  await subscriber.setAudioMediaProcessorConnector(null);
  const about = [
    subscriber.element,
    subscriber.id,
    subscriber.stream?.connection,
    subscriber.streamId,
    subscriber.session,
  ];
  subscriber.destroy();
  console(volume, captions, blocked, picture, style, size, mediaLink, received, report, about);

  // @ts-expect-error a volume is a number
  subscriber.setAudioVolume('loud');
  // @ts-expect-error audio of an unknown medium
  console((await subscriber.getStats()).sound);
  // @ts-expect-error an archive is shown on Publishers
  subscriber.setStyle('archiveStatusDisplayMode', 'off');
  // @ts-expect-error a connector has two methods
  await subscriber.setVideoMediaProcessorConnector({ destroy: () => Promise.resolve() });
}

/** Takes what would otherwise be unused. */
declare function console(...values: unknown[]): void;
