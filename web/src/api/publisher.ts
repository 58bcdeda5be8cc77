/** A Publisher: a local preview of camera, microphone or screen, which a Session can publish. */
import { Widget } from '../dom/index.ts';
import type { Publication } from '../engine/index.ts';
import { asOTError, OTError } from '../errors.ts';
import { flag, publisherOptions, type Properties, type PublisherOptions } from '../options.ts';
import {
  isRouted,
  merged,
  meterOf,
  Rates,
  SentEstimates,
  sentStats,
  Sources,
  type Filter,
  type Kind,
  type LevelMeter,
  type PublisherStats,
  type SendTracks,
  type SentLines,
} from '../rtc/index.ts';
import type { Dimensions, Reason, StreamDescription, StreamUpdate } from '../wire/index.ts';
import type { Target } from './arguments.ts';
import { AudioAcquisition } from './audio-acquisition.ts';
import { queueEvent } from './emitter.ts';
import { Event, MediaStreamAvailableEvent, MuteForcedEvent } from './events.ts';
import type { Page } from './page.ts';
import { settle, withPromise, withQuickPromise, type Done } from './promises.ts';
import { askForAccess } from './publisher-access.ts';
import { PublisherEncoding } from './publisher-encoding.ts';
import { PublisherFallback } from './publisher-fallback.ts';
import { PublisherSenderStats } from './publisher-sender-stats.ts';
import { PublisherSending } from './publisher-sending.ts';
import { sourceEnded } from './publisher-source-end.ts';
import { PublisherSources } from './publisher-sources.ts';
import { watchPublisherQuality } from './quality.ts';
import type { Session } from './session.ts';
import { queueJob } from './tasks.ts';
import type { Stream } from './values.ts';
import { View } from './view.ts';

/** Members that begin with an underscore are the library's own. */
export class Publisher extends View implements Publication {
  /** Undefined until the user or the browser has decided. */
  accessAllowed: boolean | undefined = undefined;
  /** The session while publishing to one. */
  session: Session | null = null;
  readonly publishAudio = withQuickPromise((value?: unknown) => this.#setAudio(flag(value, true)));
  /** The handler hears when the camera runs again, or why it does not. */
  readonly publishVideo = withPromise(
    (value?: unknown, done?: unknown): this => {
      this.#sending.setVideo(flag(value, true), done as Done | undefined);
      return this;
    },
    (): void => undefined,
  );
  /** Stops streaming and capture, removes the element, dispatches `destroyed`. Harmless when repeated. */
  readonly destroy = withQuickPromise((): this => {
    this._destroy('clientDisconnected');
    return this;
  });

  /** Resolves when there is media to publish; rejects with why there is none. Another one after `_askAgain`. */
  _ready: Promise<void>;

  readonly #page: Page;
  #options: PublisherOptions;
  readonly #sources: Sources;
  readonly #changes: PublisherSources;
  readonly #encoding: PublisherEncoding;
  readonly #sending: PublisherSending;
  readonly #fallback: PublisherFallback;
  readonly #senderStats: PublisherSenderStats;
  readonly #estimates = new SentEstimates();
  readonly #rates = new Rates();
  readonly #quality = watchPublisherQuality(this, () => this.#readStats());
  readonly #acquisition = new AudioAcquisition(this);
  #meter: LevelMeter | null = null;
  #opened = false;
  #captions: boolean;
  #destroyed = false;
  #failure: OTError | null = null;
  /** The silence of the session in which the stream began, until the server says that it did. */
  #beganIn: symbol | null = null;

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
    const { publishAudio, publishVideo, publishCaptions, sources } = this.#options;
    this.#captions = publishCaptions;
    this.#sources = new Sources(sources, {
      changed: (kind, track) => this.#sourceChanged(kind, track),
      ended: (kind, track) => {
        this.#sourceEnded(kind, track);
      },
    });
    this.#changes = new PublisherSources(this.#sources, sources.videoKind === 'camera', () => this.#mediaReady());
    this.#sending = this.#makeSending({ audio: publishAudio, video: publishVideo });
    this.#encoding = new PublisherEncoding(
      {
        raw: () => this.#sources.raw('video'),
        isCamera: () => this.#options.sources.videoKind === 'camera',
        lines: () => this.#lines,
      },
      this.#options.videoContentHint,
    );
    this.#fallback = this.#makeFallback();
    this.#senderStats = this.#makeSenderStats();
    this._ready = this.#start();
    void settle(this._ready, done as Done<void> | undefined);
  }

  // ---- sources

  /** What is sent now, and how. */
  tracks(): SendTracks {
    const { audioBitrateBps, opus, videoCodecs, isScalable } = this.#options;
    return {
      audio: this.#sources.track('audio'),
      video: this.#sources.track('video'),
      audioBitrateBps,
      opus,
      videoCodecs,
      isScalable: isScalable && this.#page.era.sendsLayers && isRouted(this.session?.sessionId ?? ''),
      isScreen: this.#options.sources.videoKind === 'screen',
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
    return settle(this.#changes.setAudio(source));
  }

  /** Takes the camera with that id. */
  setVideoSource(deviceId?: unknown): Promise<void> {
    return settle(this.#changes.setVideo(deviceId));
  }

  /** Takes the next camera of the list; resolves to its id. */
  cycleVideo(): Promise<{ deviceId: string }> {
    return settle(this.#changes.cycleVideo());
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
    return settle(this.#changes.filter('video', filter));
  }

  clearVideoFilter(): Promise<void> {
    return settle(this.#sources.filter('video', null));
  }

  getVideoFilter(): Filter | null {
    return this.#sources.filters.video;
  }

  applyAudioFilter(filter?: unknown): Promise<void> {
    return settle(this.#changes.filter('audio', filter));
  }

  clearAudioFilter(): Promise<void> {
    return settle(this.#sources.filter('audio', null));
  }

  getAudioFilter(): Filter | null {
    return this.#sources.filters.audio;
  }

  /** Sends what the application's processor makes of the picture; null takes the processor away. */
  setVideoMediaProcessorConnector(connector?: unknown): Promise<void> {
    return settle(this.#changes.process('video', connector));
  }

  setAudioMediaProcessorConnector(connector?: unknown): Promise<void> {
    return settle(this.#changes.process('audio', connector));
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
    const { name, initials, sources, frameRate, audioFallback } = this.#options;
    return {
      name,
      ...(initials === undefined ? {} : { initials }),
      hasAudio: this.#sending.sends('audio'),
      hasVideo: this.#sending.sends('video'),
      ...(this.#captions ? { hasCaptions: true } : {}),
      ...(this.#sources.track('video') === null || sources.videoKind === 'none'
        ? {}
        : { videoType: sources.videoKind }),
      videoDimensions: this.#dimensions(),
      ...(frameRate === undefined ? {} : { frameRate }),
      ...(audioFallback ? {} : { audioFallback }),
    };
  }

  /** A moderator or the server muted the stream; it may be unmuted again. */
  _muteForced(silence: symbol): void {
    // Who begins in a muted session is told as well, and the application may have unmuted it before that.
    if (this.#beganIn !== silence) this.#setAudio(false);
    this.#beganIn = null;
    if (this.#page.era.tellsMuting) queueEvent(this, new MuteForcedEvent());
  }

  /** The session is muted: the stream begins without sound, and the server will say so. */
  _beginMuted(silence: symbol): void {
    this.#beganIn = silence;
    this.#setAudio(false);
  }

  /** After a refusal: asks for camera and microphone once more. */
  _askAgain(): void {
    if (this.accessAllowed !== false || this.#destroyed) return;
    this.accessAllowed = undefined;
    this._ready = this.#start();
    void settle(this._ready);
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
    this.#fallback.begin();
    this.#senderStats.begin();
    // The size of a screen or of another track is known with its first frame, which may come before the stream does.
    this.#resized();
  }

  /** Whether an archive of the session runs. */
  _archived(isArchived: boolean): void {
    this.widget?.setArchiving(isArchived);
  }

  /** The stream has ended; the preview goes on and can be published again. */
  _streamEnded(): void {
    this.#fallback.end();
    this.#senderStats.end();
    this.widget?.setArchiving(false);
    this.stream = undefined;
    this.session = null;
  }

  _destroy(reason: Reason): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#sending.stop();
    this.#page.publishers.delete(this);
    this.session?._endPublishing(this, reason === 'mediaStopped' ? 'mediaStopped' : 'clientDisconnected');
    this.#sources.stop();
    this.#quality.stop();
    this.#acquisition.watch(null);
    this.#fallback.end();
    this.#senderStats.end();
    this.#meter?.close();
    this.#meter = null;
    this.updateLevels();
    this.widget?.remove();
    this.#page.era.destroyed(this, reason);
  }

  /** The view shows the first picture, or all that it has to show. */
  protected pictureShown(): void {
    queueEvent(this, new Event('loaded'));
  }

  protected override elementMissing(error: OTError): void {
    this.#page.raise(error, this);
    this._destroy('clientDisconnected');
  }

  protected override readLevel(): number | null {
    if (this.#destroyed || !this.#opened || this.#sources.track('audio') === null) return null;
    return this.#sending.wants('audio') ? (this.#meter?.read() ?? 0) : 0;
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
      newId: () => this.newElementId('publisher'),
      fitMode: options.fitMode ?? (options.sources.videoKind === 'screen' ? 'contain' : 'cover'),
      initials: options.initials ?? '',
    });
    widget.onMutePressed = () => {
      this.#setAudio(!this.#sending.wants('audio'));
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
    await askForAccess(
      {
        emitter: this,
        dialogOpenedCancelable: this.#page.era.cancelable.accessDialogOpened,
        concerned: this.#options.sources.videoKind === 'none' ? 'Microphone' : 'Camera',
        widget: () => this.widget,
        isOver: () => this.#destroyed,
        refused: (error) => {
          this.accessAllowed = false;
          this.#page.raise(error, this);
        },
      },
      () => this.#sources.open(),
    );
    this.#allowed();
  }

  #allowed(): void {
    const { media } = this.#sources;
    this.#opened = true;
    this.#watchMicrophone();
    this.accessAllowed = true;
    this.#encoding.apply();
    this.#sending.open();
    queueEvent(this, new Event('accessAllowed', this.#page.era.cancelable.accessAllowed));
    queueEvent(this, new MediaStreamAvailableEvent(media));
    // A page that may capture may also be heard.
    for (const subscriber of this.#page.subscribers) subscriber._unblock();
    const { widget } = this;
    if (widget === null) return;
    this.announceVideoElement(widget);
    widget.video.srcObject = media;
    widget.setPictureVisible(true);
    widget.video.play().catch(() => undefined); // a preview that is not in the page yet starts when it is
    const shown = (): void => {
      widget.setLoading(false);
      this.pictureShown();
    };
    if (media.getVideoTracks().length === 0) queueJob(shown);
    else widget.video.addEventListener('loadeddata', shown, { once: true });
  }

  #makeSending(wanted: Record<Kind, boolean>): PublisherSending {
    return new PublisherSending(
      {
        sources: this.#sources,
        tell: (update) => {
          this.#tell(update);
        },
        changed: () => {
          this.#sendingChanged();
        },
        failed: (error) => {
          this.#page.raise(error, this);
        },
      },
      wanted,
    );
  }

  #makeFallback(): PublisherFallback {
    return new PublisherFallback(
      {
        emitter: this,
        audioBitrateBps: this.#options.audioBitrateBps,
        widget: () => this.widget,
        sendsVideo: () => this.#sending.sends('video'),
        read: () => this.#readStats(),
        lines: () => this.#lines,
        tell: (hasVideo) => {
          this.#tell({ hasVideo, forQuality: true });
        },
      },
      this.#options.publisherFallback,
    );
  }

  #makeSenderStats(): PublisherSenderStats {
    const { audioBitrateBps, senderStats } = this.#options;
    return new PublisherSenderStats(
      {
        read: async () =>
          this.#estimates.read(await this.#reports(), { audio: audioBitrateBps, video: this.#encoding.getBitrate() }),
        tell: (estimates) => {
          if (this.stream !== undefined) this.session?._reportSenderStats(this.stream.streamId, estimates);
        },
      },
      senderStats,
    );
  }

  #sendingChanged(): void {
    this.widget?.setMuted(!this.#sending.wants('audio'));
    if (this.#opened) this.widget?.setAudioOnly(!this.#sending.sends('video'));
    this.updateLevels();
  }

  #setAudio(sends: boolean): this {
    this.#sending.setAudio(sends);
    return this;
  }

  async #mediaReady(): Promise<void> {
    await this._ready;
    if (this.#destroyed) throw new OTError('OT_NOT_SUPPORTED', 'The publisher has been destroyed.');
  }

  async #sourceChanged(kind: Kind, track: MediaStreamTrack): Promise<void> {
    if (kind === 'video') this.#encoding.apply();
    else {
      this.#meter?.close();
      this.#meter = null;
      this.#watchMicrophone();
    }
    this.#sending.apply();
    await this.#lines?.replace(kind, track);
  }

  /** A track of the application's own may be silent for as long as it likes. */
  #watchMicrophone(): void {
    if (!this.#destroyed) this.#acquisition.watch(this.#sources.isDevice('audio') ? this.#sources.raw('audio') : null);
  }

  #sourceEnded(kind: Kind, track: MediaStreamTrack): void {
    if (this.#destroyed) return;
    const stopped = (): void => {
      this._destroy('mediaStopped');
    };
    const { managesMicrophone } = this.#options;
    void sourceEnded({ emitter: this, sources: this.#sources, managesMicrophone, stopped }, kind, track);
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

  /** While the video is left out for its quality nobody is told that it is there. */
  #tell(update: StreamUpdate): void {
    if (update.hasVideo === true && this.#fallback.isActive) return;
    if (this.stream !== undefined) this.session?._updateStream(this.stream.streamId, update);
  }

  #resized(): void {
    const dimensions = this.#dimensions();
    this.#encoding.fit(dimensions);
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
