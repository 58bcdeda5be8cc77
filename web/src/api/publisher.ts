/** A Publisher: a local preview of camera, microphone or screen, which a Session can publish. */
import { Widget } from '../dom/index.ts';
import type { Publication } from '../engine/index.ts';
import { asOTError, OTError } from '../errors.ts';
import { flag, publisherOptions, type Properties, type PublisherOptions } from '../options.ts';
import {
  checkFilter,
  merged,
  meterOf,
  nextCamera,
  Rates,
  sentStats,
  Sources,
  type Filter,
  type Kind,
  type LevelMeter,
  type Processor,
  type PublisherStats,
  type SendTracks,
  type SentLines,
} from '../rtc/index.ts';
import type { Dimensions, Reason, StreamDescription, StreamUpdate } from '../wire/index.ts';
import { isProcessor, isTrack, type Target } from './arguments.ts';
import { queueEvent } from './emitter.ts';
import {
  AccessDeniedEvent,
  AccessDialogOpenedEvent,
  AudioInputDeviceChangedEvent,
  DestroyedEvent,
  Event,
  MediaStoppedEvent,
  MediaStreamAvailableEvent,
  MuteForcedEvent,
} from './events.ts';
import type { Page } from './page.ts';
import { settle, withPromise, withQuickPromise, type Done } from './promises.ts';
import { PublisherEncoding } from './publisher-encoding.ts';
import { watchPublisherQuality } from './quality.ts';
import type { Session } from './session.ts';
import { queueJob } from './tasks.ts';
import type { Stream } from './values.ts';
import { View } from './view.ts';

/** If the browser has not answered by then, it is probably asking the user. */
const DIALOG_GUESS_MS = 500;
/** How long a camera stays open while no picture is sent: long enough for a change of mind. */
const RELEASE_AFTER_MS = 5_000;

/** Members that begin with an underscore are the library's own. */
export class Publisher extends View implements Publication {
  /** Undefined until the user or the browser has decided. */
  accessAllowed: boolean | undefined = undefined;
  /** The session while publishing to one. */
  session: Session | null = null;
  readonly publishAudio = withQuickPromise((value?: unknown) => this.#setAudio(flag(value, true)));
  /** The handler hears when the camera runs again, or why it does not. */
  readonly publishVideo = withPromise(
    (value?: unknown, done?: unknown) => this.#setVideo(flag(value, true), done as Done | undefined),
    (): void => undefined,
  );
  /** Stops streaming and capture, removes the element, dispatches `destroyed`. Harmless when repeated. */
  readonly destroy = withQuickPromise((): this => {
    this._destroy('clientDisconnected');
    return this;
  });

  /** Resolves when there is media to publish; rejects with why there is none. */
  readonly _ready: Promise<void>;

  readonly #page: Page;
  #options: PublisherOptions;
  #sources: Sources;
  readonly #encoding: PublisherEncoding;
  readonly #rates = new Rates();
  readonly #quality = watchPublisherQuality(this, () => this.#readStats());
  #meter: LevelMeter | null = null;
  #opened = false;
  #sendsAudio: boolean;
  #sendsVideo: boolean;
  #captions: boolean;
  #releasing: ReturnType<typeof setTimeout> | null = null;
  #destroyed = false;
  #failure: OTError | null = null;

  constructor(page: Page, target: Target, properties: Properties, done?: Done) {
    super(page.era);
    this.#page = page;
    page.publishers.add(this);
    try {
      this.#options = publisherOptions(properties);
      this.#build(target);
    } catch (error) {
      this.#options = publisherOptions({ insertDefaultUI: false });
      this.#failure = asOTError(error, 'OT_INVALID_PARAMETER');
      if (page.era.throwsMisuse) {
        page.publishers.delete(this);
        throw this.#failure;
      }
    }
    this.#sendsAudio = this.#options.publishAudio;
    this.#sendsVideo = this.#options.publishVideo;
    this.#captions = this.#options.publishCaptions;
    this.#sources = new Sources(this.#options.sources, {
      changed: (kind, track) => this.#sourceChanged(kind, track),
      ended: (kind, track) => void this.#sourceEnded(kind, track),
    });
    this.#encoding = new PublisherEncoding(
      {
        raw: () => this.#sources.raw('video'),
        isCamera: () => this.#options.sources.videoKind === 'camera',
        lines: () => this.#lines,
      },
      this.#options.videoContentHint,
    );
    this._ready = this.#start();
    void settle(this._ready, done as Done<void> | undefined);
  }

  // ---- sources

  /** What is sent now, and how. */
  tracks(): SendTracks {
    const { audioBitrateBps, opus, videoCodecs } = this.#options;
    return {
      audio: this.#sources.track('audio'),
      video: this.#sources.track('video'),
      audioBitrateBps,
      opus,
      videoCodecs,
      ...this.#encoding.wishes(),
    };
  }

  /** The track of the microphone or of the application's own audio source. */
  getAudioSource(): MediaStreamTrack | null {
    return this.#sources.raw('audio');
  }

  getVideoSource(): { deviceId: string | null; type: string | null; track: MediaStreamTrack | null } {
    const track = this.#sources.raw('video');
    const { videoKind } = this.#options.sources;
    return {
      deviceId: track?.getSettings().deviceId ?? null,
      type: videoKind === 'none' ? null : videoKind,
      track,
    };
  }

  /** Takes another microphone, or a track of the application's; a publisher without audio cannot gain it. */
  setAudioSource(source?: unknown): Promise<void> {
    return settle(this.#setAudioSource(source));
  }

  /** Takes the camera with that id. */
  setVideoSource(deviceId?: unknown): Promise<void> {
    return settle(this.#setVideoSource(deviceId));
  }

  /** Takes the next camera of the list; resolves to its id. */
  cycleVideo(): Promise<{ deviceId: string }> {
    return settle(
      this.#cameraReady().then(async () => {
        const deviceId = await nextCamera(this.#sources.raw('video')?.getSettings().deviceId);
        await this.#sources.switchTo('video', deviceId);
        return { deviceId };
      }),
    );
  }

  // ---- encoding

  getVideoContentHint(): string {
    return this.#encoding.getHint();
  }

  setVideoContentHint(hint?: unknown): Promise<void> {
    return settle(this.#encoding.setHint(hint));
  }

  setPreferredResolution(size?: unknown): Promise<void> {
    return settle(this.#encoding.setResolution(size));
  }

  setPreferredFrameRate(rate?: unknown): Promise<void> {
    return settle(this.#encoding.setFrameRate(rate));
  }

  getMaxVideoBitrate(): number | undefined {
    return this.#encoding.getBitrate();
  }

  setMaxVideoBitrate(bps?: unknown): Promise<void> {
    return settle(this.#encoding.setBitrate(bps));
  }

  getVideoBitratePreset(): string | undefined {
    return this.#encoding.getPreset();
  }

  setVideoBitratePreset(preset?: unknown): Promise<void> {
    return settle(this.#encoding.setPreset(preset));
  }

  getTargetScalabilityMode(): string | undefined {
    return this.#encoding.getScalability();
  }

  setTargetScalabilityMode(mode?: unknown): void {
    this.#encoding.setScalability(mode);
  }

  /** The captured width; undefined without video. */
  override videoWidth(): number | undefined {
    return this.#sources.raw('video')?.getSettings().width ?? super.videoWidth();
  }

  override videoHeight(): number | undefined {
    return this.#sources.raw('video')?.getSettings().height ?? super.videoHeight();
  }

  // ---- filters and processors

  applyVideoFilter(filter?: unknown): Promise<void> {
    return settle(this.#filter('video', filter));
  }

  clearVideoFilter(): Promise<void> {
    return settle(this.#sources.filter('video', null));
  }

  getVideoFilter(): Filter | null {
    return this.#sources.filters.video;
  }

  applyAudioFilter(filter?: unknown): Promise<void> {
    return settle(this.#filter('audio', filter));
  }

  clearAudioFilter(): Promise<void> {
    return settle(this.#sources.filter('audio', null));
  }

  getAudioFilter(): Filter | null {
    return this.#sources.filters.audio;
  }

  /** Sends what the application's processor makes of the picture; null takes the processor away. */
  setVideoMediaProcessorConnector(connector?: unknown): Promise<void> {
    return settle(this.#process('video', connector));
  }

  setAudioMediaProcessorConnector(connector?: unknown): Promise<void> {
    return settle(this.#process('audio', connector));
  }

  // ---- captions and statistics

  /** Whether the sound may be turned into captions. */
  publishCaptions(value?: unknown): Promise<void> {
    this.#captions = flag(value, true);
    this.#tell({ hasCaptions: this.#captions });
    return Promise.resolve();
  }

  /** One entry: what the router gets. Rejects with OT_NOT_CONNECTED while nothing is published. */
  getStats(done?: Done<{ stats: PublisherStats }[]>): Promise<{ stats: PublisherStats }[]> {
    return settle(
      this.#readStats().then((stats) => [{ stats }]),
      done,
    );
  }

  /** The browser's own statistics. Rejects with OT_NOT_CONNECTED while nothing is published. */
  getRtcStatsReport(): Promise<{ rtcStatsReport: RTCStatsReport }[]> {
    return settle(
      this.#reports().then(({ audio, video }) => [
        { rtcStatsReport: merged(...[audio, video].filter((report) => report !== null)) },
      ]),
    );
  }

  // ---- the library's own

  /** What `publish` says of this publisher's stream. */
  _description(): StreamDescription {
    const { audio, video } = this.tracks();
    const { name, initials, sources, frameRate, audioFallback } = this.#options;
    return {
      name,
      ...(initials === undefined ? {} : { initials }),
      hasAudio: audio !== null && this.#sendsAudio,
      hasVideo: video !== null && this.#sendsVideo,
      ...(this.#captions ? { hasCaptions: true } : {}),
      ...(video === null || sources.videoKind === 'none' ? {} : { videoType: sources.videoKind }),
      videoDimensions: this.#dimensions(),
      ...(frameRate === undefined ? {} : { frameRate }),
      ...(audioFallback ? {} : { audioFallback }),
    };
  }

  /** A moderator or the server muted the stream; it may be unmuted again. */
  _muteForced(): void {
    this.#setAudio(false);
    if (this.#page.era.tellsMuting) queueEvent(this, new MuteForcedEvent());
  }

  /** The session is muted: the stream begins without sound. */
  _beginMuted(): void {
    this.#setAudio(false);
  }

  get _isDestroyed(): boolean {
    return this.#destroyed;
  }

  /** Sound of the own preview is never heard, so that there is nothing to route; kept beside the Subscriber's. */
  _routeSound(): Promise<void> {
    return Promise.resolve();
  }

  /** The stream is registered. */
  _streaming(stream: Stream): void {
    this.stream = stream;
    this.widget?.setStreaming(stream.streamId);
  }

  /** The stream has ended; the preview goes on and can be published again. */
  _streamEnded(): void {
    this.stream = undefined;
    this.session = null;
  }

  _destroy(reason: Reason): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    if (this.#releasing !== null) clearTimeout(this.#releasing);
    this.#page.publishers.delete(this);
    this.session?._endPublishing(this, reason === 'mediaStopped' ? 'mediaStopped' : 'clientDisconnected');
    this.#sources.stop();
    this.#quality.stop();
    this.#meter?.close();
    this.#meter = null;
    this.updateLevels();
    this.widget?.remove();
    queueEvent(this, new DestroyedEvent(reason));
  }

  protected override readLevel(): number | null {
    if (this.#destroyed || !this.#opened || this.#sources.track('audio') === null) return null;
    return this.#sendsAudio ? (this.#meter?.read() ?? 0) : 0;
  }

  protected override updateLevels(): void {
    const track = this.#opened && !this.#destroyed ? this.#sources.track('audio') : null;
    const wanted = track !== null && (this._hears('audioLevelUpdated') || this.widget?.showsMeter === true);
    if (wanted) this.#meter ??= meterOf(track);
    else {
      this.#meter?.close();
      this.#meter = null;
    }
    super.updateLevels();
  }

  protected override listenersChanged(): void {
    super.listenersChanged();
    this.#quality.update();
  }

  get #lines(): SentLines | null {
    return this.session?._lines(this) ?? null;
  }

  #build(target: Target): void {
    const options = this.#options;
    const widget = new Widget({
      ...options,
      kind: 'publisher',
      target: this.findTarget(target, options.insertDefaultUI),
      fitMode: options.fitMode ?? (options.sources.videoKind === 'screen' ? 'contain' : 'cover'),
      initials: options.initials ?? '',
    });
    widget.onMutePressed = () => {
      this.#setAudio(!this.#sendsAudio);
    };
    widget.setMuted(!options.publishAudio);
    this.adopt(widget, options.insertDefaultUI);
    widget.video.addEventListener('resize', () => {
      this.#resized();
    });
  }

  async #start(): Promise<void> {
    if (this.#failure !== null) {
      this.#page.raise(this.#failure, this);
      throw this.#failure;
    }
    let dialogOpened = false;
    const dialog = setTimeout(() => {
      dialogOpened = true;
      queueEvent(this, new AccessDialogOpenedEvent(), () => {
        this.widget?.showMessage('Please allow this page to use your camera and microphone.');
      });
    }, DIALOG_GUESS_MS);
    try {
      await this.#sources.open();
    } catch (thrown) {
      const error = asOTError(thrown, 'OT_UNABLE_TO_CAPTURE_MEDIA');
      if (this.#destroyed) throw error;
      throw this.#refused(error, dialogOpened);
    } finally {
      clearTimeout(dialog);
    }
    this.#allowed(dialogOpened);
  }

  #allowed(dialogOpened: boolean): void {
    const { media } = this.#sources;
    this.#opened = true;
    this.accessAllowed = true;
    this.#encoding.apply();
    this.#applySending();
    if (dialogOpened) queueEvent(this, new Event('accessDialogClosed'));
    queueEvent(this, new Event('accessAllowed'));
    queueEvent(this, new MediaStreamAvailableEvent(media));
    // A page that may capture may also be heard.
    for (const subscriber of this.#page.subscribers) subscriber._unblock();
    const { widget } = this;
    if (widget === null) return;
    widget.hideMessage();
    this.announceVideoElement(widget);
    widget.video.srcObject = media;
    widget.setPictureVisible(true);
    widget.video.play().catch(() => undefined); // a preview that is not in the page yet starts when it is
    const shown = (): void => {
      widget.setLoading(false);
      queueEvent(this, new Event('loaded'));
    };
    if (media.getVideoTracks().length === 0) queueJob(shown);
    else widget.video.addEventListener('loadeddata', shown, { once: true });
  }

  #refused(error: OTError, dialogOpened: boolean): OTError {
    this.accessAllowed = false;
    this.widget?.hideMessage();
    if (dialogOpened) queueEvent(this, new Event('accessDialogClosed'));
    if (error.name === 'OT_USER_MEDIA_ACCESS_DENIED') {
      const concerned = this.#options.sources.videoKind === 'none' ? 'Microphone' : 'Camera';
      queueEvent(this, new AccessDeniedEvent(`${concerned} access was denied: ${error.originalMessage ?? ''}`), () => {
        this.widget?.showMessage(
          'This page may not use your camera and microphone. Allow it in the address bar, then reload.',
        );
      });
    } else {
      this.widget?.showMessage(error.message);
    }
    this.#page.raise(error, this);
    return error;
  }

  #setAudio(sends: boolean): this {
    this.#sendsAudio = sends;
    this.#applySending();
    this.#tell({ hasAudio: this.#sources.track('audio') !== null && sends });
    return this;
  }

  #setVideo(sends: boolean, done?: Done): this {
    this.#sendsVideo = sends;
    this.#applySending();
    const tell = (): void => {
      this.#tell({ hasVideo: this.#sources.track('video') !== null && this.#sendsVideo });
    };
    if (!sends || !this.#sources.isReleased) {
      tell();
      void settle(Promise.resolve(), done);
      return this;
    }
    const told = this.#sources.reopen().then(tell, (thrown: unknown) => {
      const error = asOTError(thrown, 'OT_UNABLE_TO_CAPTURE_MEDIA');
      this.#sendsVideo = false;
      this.#applySending();
      this.#page.raise(error, this);
      throw error;
    });
    void settle(told, done);
    return this;
  }

  /** What is muted sends silence and black, and is back at once; a camera is let go after a while. */
  #applySending(): void {
    for (const track of [this.#sources.raw('audio'), this.#sources.track('audio')])
      if (track !== null) track.enabled = this.#sendsAudio;
    for (const track of [this.#sources.raw('video'), this.#sources.track('video')])
      if (track !== null) track.enabled = this.#sendsVideo;
    this.widget?.setMuted(!this.#sendsAudio);
    if (this.#opened) {
      this.widget?.setAudioOnly(this.#sources.track('video') === null || !this.#sendsVideo);
      this.#scheduleRelease();
    }
    this.updateLevels();
  }

  #scheduleRelease(): void {
    if (this.#sendsVideo && this.#releasing !== null) {
      clearTimeout(this.#releasing);
      this.#releasing = null;
    }
    if (this.#sendsVideo || this.#releasing !== null || this.#destroyed || isPhone()) return;
    if (!this.#sources.isDevice('video')) return;
    this.#releasing = setTimeout(() => {
      this.#releasing = null;
      if (!this.#sendsVideo) this.#sources.release();
    }, RELEASE_AFTER_MS);
  }

  async #setAudioSource(source: unknown): Promise<void> {
    await this.#mediaReady();
    if (this.#sources.raw('audio') === null)
      throw new OTError('OT_NOT_SUPPORTED', 'A publisher without audio cannot gain it.');
    if (isTrack(source) && source.kind === 'audio') await this.#sources.take('audio', source);
    else if (typeof source === 'string' && source !== '') await this.#switch('audio', source, 'OT_INVALID_PARAMETER');
    else throw new OTError('OT_INVALID_PARAMETER', 'An audio source is the id of a microphone or an audio track.');
  }

  async #setVideoSource(deviceId: unknown): Promise<void> {
    if (typeof deviceId !== 'string' || deviceId === '')
      throw new OTError('OT_INVALID_VIDEO_SOURCE', 'A video source is the id of a camera.');
    await this.#cameraReady();
    await this.#switch('video', deviceId, 'OT_INVALID_VIDEO_SOURCE');
  }

  async #switch(kind: Kind, deviceId: string, unknownDevice: string): Promise<void> {
    await this.#sources.switchTo(kind, deviceId).catch((thrown: unknown) => {
      const error = asOTError(thrown, 'OT_UNABLE_TO_CAPTURE_MEDIA');
      const missing = error.name === 'OT_CONSTRAINTS_NOT_SATISFIED' || error.name === 'OT_NO_DEVICES_FOUND';
      throw missing
        ? new OTError(unknownDevice, 'There is no device with this id.', undefined, { cause: error })
        : error;
    });
  }

  async #mediaReady(): Promise<void> {
    await this._ready;
    if (this.#destroyed) throw new OTError('OT_NOT_SUPPORTED', 'The publisher has been destroyed.');
  }

  async #cameraReady(): Promise<void> {
    await this.#mediaReady();
    if (this.#options.sources.videoKind !== 'camera' || this.#sources.raw('video') === null)
      throw new OTError('OT_SET_VIDEO_SOURCE_FAILURE', 'The publisher does not publish a camera.');
  }

  async #filter(kind: Kind, filter: unknown): Promise<void> {
    const checked = checkFilter(kind, filter);
    if (this.#sources.hasProcessor(kind))
      throw new OTError('OT_NOT_SUPPORTED', 'Filters and media processors exclude each other.');
    await this.#mediaReady();
    await this.#sources.filter(kind, checked);
  }

  async #process(kind: Kind, connector: unknown): Promise<void> {
    if (connector !== null && !isProcessor(connector))
      throw new OTError('OT_INVALID_PARAMETER', 'A connector has the methods setTrack and destroy.');
    if (connector !== null && this.#sources.filters[kind] !== null)
      throw new OTError('OT_NOT_SUPPORTED', 'Filters and media processors exclude each other.');
    await this.#mediaReady();
    await this.#sources.process(kind, connector as Processor | null);
  }

  async #sourceChanged(kind: Kind, track: MediaStreamTrack): Promise<void> {
    if (kind === 'video') this.#encoding.apply();
    else {
      this.#meter?.close();
      this.#meter = null;
    }
    this.#applySending();
    await this.#lines?.replace(kind, track);
  }

  /** The user stopped sharing, or a device is gone. */
  async #sourceEnded(kind: Kind, track: MediaStreamTrack): Promise<void> {
    if (this.#destroyed) return;
    if (kind === 'audio' && this.#sources.isDevice('audio') && this.#options.managesMicrophone) {
      const replaced = await this.#sources.switchTo('audio', true).then(
        () => true,
        () => false,
      );
      if (replaced) {
        const { label } = track;
        const now = this.#sources.raw('audio');
        const deviceId = now?.getSettings().deviceId ?? '';
        queueEvent(this, new AudioInputDeviceChangedEvent({ deviceId, label: now?.label ?? label }));
        return;
      }
    }
    const others = (['audio', 'video'] as const).map((other) => this.#sources.raw(other));
    const wholeSource = others.every((other) => other === null || other.readyState === 'ended');
    queueEvent(this, new MediaStoppedEvent(wholeSource ? undefined : track), () => {
      this._destroy('mediaStopped');
    });
  }

  async #reports(): Promise<Record<Kind, RTCStatsReport | null>> {
    const lines = this.stream === undefined ? null : this.#lines;
    if (lines === null) throw new OTError('OT_NOT_CONNECTED', 'The publisher is not publishing.');
    const [audio, video] = await Promise.all([lines.stats('audio'), lines.stats('video')]);
    return { audio, video };
  }

  async #readStats(): Promise<PublisherStats> {
    return sentStats(await this.#reports(), this.#rates, this.#encoding.getBitrate());
  }

  #tell(update: StreamUpdate): void {
    if (this.stream !== undefined) this.session?._updateStream(this.stream.streamId, update);
  }

  #resized(): void {
    const dimensions = this.#dimensions();
    const known = this.stream?.videoDimensions;
    if (known === undefined || (known.width === dimensions.width && known.height === dimensions.height)) return;
    this.#tell({ videoDimensions: dimensions });
  }

  #dimensions(): Dimensions {
    const video = this.#sources.track('video');
    if (video === null) return { width: 0, height: 0 };
    const { width, height } = video.getSettings();
    const { capture: wished } = this.#options.sources;
    return { width: Math.round(width ?? wished.width), height: Math.round(height ?? wished.height) };
  }
}

/** Phones switch cameras slowly and show no light: theirs stay open. */
function isPhone(): boolean {
  return /Mobi|Android/i.test(String((navigator as { userAgent?: string }).userAgent));
}
