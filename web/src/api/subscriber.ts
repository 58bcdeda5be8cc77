/** A Subscriber: the element in which another client's stream, or an own one, is seen and heard. */
import { Widget } from '../dom/index.ts';
import type { SlotMedia, SubscriptionSink } from '../engine/index.ts';
import { OTError } from '../errors.ts';
import { logger } from '../logger.ts';
import {
  flag,
  preferredFrameRate,
  preferredResolution,
  subscriberOptions,
  volume,
  type PictureWishes,
  type Properties,
  type SubscriberOptions,
} from '../options.ts';
import {
  merged,
  Rates,
  ReceivedCounters,
  receivedStats,
  routeSound,
  whenPictureBegins,
  whenSoundBegins,
  type Kind,
  type Processor,
  type SubscriberStats,
} from '../rtc/index.ts';
import type { StreamProperty, SubscriptionWishes } from '../wire/index.ts';
import { isProcessor, type Target } from './arguments.ts';
import { queueEvent } from './emitter.ts';
import { DestroyedEvent, Event, MediaStreamAvailableEvent, VideoEnabledChangedEvent } from './events.ts';
import { settle, withQuickPromise, type Done } from './promises.ts';
import { watchSubscriberQuality } from './quality.ts';
import type { Session } from './session.ts';
import type { SessionModel } from './session-model.ts';
import { callBack, queueJob } from './tasks.ts';
import type { Stream } from './values.ts';
import { View } from './view.ts';

/** How long media may take to arrive before the subscription counts as failed. */
const MEDIA_DEADLINE_MS = 30_000;
/** How long an element must keep its size before a picture of that size is asked for. */
const STEADY_SIZE_MS = 250;

/** Members that begin with an underscore are the library's own. */
export class Subscriber extends View implements SubscriptionSink {
  readonly session: Session;
  readonly subscribeToAudio = withQuickPromise((value?: unknown) => this.#subscribeToAudio(flag(value, true)));
  readonly subscribeToVideo = withQuickPromise((value?: unknown) => this.#subscribeToVideo(flag(value, true)));
  readonly setAudioVolume = withQuickPromise((value?: unknown) => this.#setVolume(value));
  /** At most about one picture a second while it is on. */
  readonly restrictFrameRate = withQuickPromise((value?: unknown): this => {
    this.#restricted = flag(value, true);
    this.#tellWishes();
    return this;
  });

  readonly #model: SessionModel;
  readonly #options: SubscriberOptions;
  #key: number | null = null;
  #media: SlotMedia | null = null;
  /** One for the subscriber's whole life, whatever transport and slot its tracks come from; null before the first. */
  #stream: MediaStream | null = null;
  #stopWaiting: (() => void)[] = [];
  #deadline: ReturnType<typeof setTimeout> | null = null;
  readonly #counters = { audio: new ReceivedCounters(), video: new ReceivedCounters() };
  readonly #rates = new Rates();
  readonly #quality = watchSubscriberQuality(this, () => this.#readStats());
  readonly #processors: Record<Kind, Processor | null> = { audio: null, video: null };
  #done: Done | undefined;

  #wantsAudio: boolean;
  #wantsVideo: boolean;
  #volume: number;
  #picture: PictureWishes;
  #restricted = false;
  /** The size in which the element is shown, in device pixels. */
  #shownSize: { width: number; height: number } | null = null;
  #sizeWatcher: ResizeObserver | null = null;
  #captions: boolean;
  #captionsLanguage: string | null;
  /** Whether there was a picture to show when that was last told. */
  #hadVideo: boolean;
  /** False when the server says that it cannot send this video. */
  #serverSendsVideo = true;
  #picturePlays = false;
  #soundPlays = false;
  #autoplayBlocked = false;
  #publisherPresent = true;
  #flows: boolean;
  #state: 'waiting' | 'connected' | 'disconnected' | 'failed' | 'destroyed' = 'waiting';

  constructor(model: SessionModel, stream: Stream, target: Target, properties: Properties, done?: Done) {
    super(model.page.era);
    this.#model = model;
    this.session = model.session;
    this.stream = stream;
    this.#done = done;
    this.#options = subscriberOptions(properties, model.page.era.defaultVolume);
    this.#wantsAudio = this.#options.subscribeToAudio;
    this.#wantsVideo = this.#options.subscribeToVideo;
    this.#volume = this.#options.audioVolume;
    this.#picture = this.#options.picture;
    this.#captions = this.#options.subscribeToCaptions;
    this.#captionsLanguage = this.#options.captionsTranslationLanguage;
    this.#flows = model.engine.flowing;
    this.#hadVideo = this.#hasVideo;
    this.#build(target);
    model.page.subscribers.add(this);
    model.subscribers.add(this);
    this.#deadline = setTimeout(() => {
      this.refused(new OTError('OT_TIMEOUT', 'No media of the stream has arrived.'));
    }, MEDIA_DEADLINE_MS);
    this.#watchSize();
    this.#key = model.engine.subscribe(stream.streamId, this.#wishes(), this);
  }

  getAudioVolume(): number {
    return this.#volume;
  }

  /** Whether the browser's autoplay rule keeps the sound off. */
  isAudioBlocked(): boolean {
    return this.#autoplayBlocked;
  }

  /** Asks for the layer nearest to a size; `auto` follows the element, null clears the wish. */
  setPreferredResolution(size?: unknown): Promise<void> {
    const resolution = preferredResolution(size);
    if (resolution === null && size !== null && size !== undefined)
      return settle(
        Promise.reject(new OTError('OT_INVALID_PARAMETER', 'A resolution is auto, null or has a width and a height.')),
      );
    this.#picture = { ...this.#picture, resolution };
    this.#watchSize();
    this.#tellWishes();
    return Promise.resolve();
  }

  /** Asks for the layer nearest to so many frames per second; null clears the wish. */
  setPreferredFrameRate(rate?: unknown): Promise<void> {
    const frameRate = preferredFrameRate(rate);
    if (frameRate === null && rate !== null && rate !== undefined)
      return settle(Promise.reject(new OTError('OT_INVALID_PARAMETER', 'A frame rate is null or a number above 0.')));
    this.#picture = { ...this.#picture, frameRate };
    this.#tellWishes();
    return Promise.resolve();
  }

  /** Whether captions of the stream are wanted; may be said before there are any. */
  subscribeToCaptions(value?: unknown): Promise<void> {
    this.#captions = flag(value, true);
    return Promise.resolve();
  }

  isSubscribedToCaptions(): boolean {
    return this.#captions;
  }

  setCaptionsTranslationLanguage(code?: unknown): Promise<void> {
    if (code !== null && !(typeof code === 'string' && /^[a-z]{2}-[A-Z]{2}$/.test(code)))
      return settle(Promise.reject(new OTError('OT_INVALID_PARAMETER', 'A language is null or a code such as de-DE.')));
    this.#captionsLanguage = code;
    return Promise.resolve();
  }

  getCaptionsTranslationLanguage(): string | null {
    return this.#captionsLanguage;
  }

  /** What has arrived for this Subscriber. Rejects with OT_NOT_CONNECTED while nothing is received. */
  getStats(done?: Done<SubscriberStats>): Promise<SubscriberStats> {
    return settle(this.#readStats(), done);
  }

  /** The browser's own statistics of the lines that carry the stream at present. */
  getRtcStatsReport(): Promise<RTCStatsReport> {
    return settle(this.#reports().then(({ audio, video }) => merged(audio, video)));
  }

  /** Shows what the application's processor makes of the picture; null takes the processor away. */
  setVideoMediaProcessorConnector(connector?: unknown): Promise<void> {
    return settle(this.#process('video', connector));
  }

  setAudioMediaProcessorConnector(connector?: unknown): Promise<void> {
    return settle(this.#process('audio', connector));
  }

  /** The same as `session.unsubscribe(subscriber)`. */
  destroy(): void {
    this._destroy('unsubscribed');
  }

  /**
   * Puts the stream's media into the element, out of sight and hearing until it is surely the stream's. After `suspend` the
   * element and its MediaStream stay as they are, and get the tracks of the new transport.
   */
  attach(media: SlotMedia): void {
    if (this.#state === 'destroyed') return;
    if (this.#media !== null) this.detach();
    this.#media = media;
    if (media.audioFrom !== null || media.videoFrom !== null) void this.#countFromHere(media);
    this.#play();
  }

  suspend(): void {
    for (const stop of this.#stopWaiting.splice(0)) stop();
    this.#counters.audio.end();
    this.#counters.video.end();
    this.#media = null;
    this.#picturePlays = false;
    this.#soundPlays = false;
  }

  detach(): void {
    this.suspend();
    // The application may show the stream in an element of its own: the tracks will soon carry another's media.
    for (const track of this.#stream?.getTracks() ?? []) this.#stream?.removeTrack(track);
    const { widget } = this;
    if (widget === null) return;
    widget.setPictureVisible(false);
    widget.video.muted = true;
    widget.video.srcObject = null;
  }

  refused(error: OTError): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'failed';
    this.#clearDeadline();
    this.widget?.showMessage('This stream cannot be shown.', 'OT_subscriber_error');
    this.#model.page.raise(error, this);
    this.#finish(error);
  }

  video(enabled: boolean, reason: string): void {
    this.#serverSendsVideo = enabled;
    this.widget?.setVideoDisabled(!enabled && reason === 'quality' ? 'disabled' : 'no');
    this.#videoChanged(reason);
  }

  /** The router is about to leave the video out, or will not after all. */
  videoWarning(active: boolean): void {
    this.widget?.setVideoDisabled(active ? 'warning' : 'no');
    queueEvent(this, new Event(active ? 'videoDisableWarning' : 'videoDisableWarningLifted'));
  }

  flow(flows: boolean): void {
    this.#flows = flows;
    this.#interruptionChanged();
  }

  /** Whether the publishing client is reachable. */
  _publisherPresent(present: boolean): void {
    this.#publisherPresent = present;
    this.#interruptionChanged();
  }

  _streamChanged(property: StreamProperty): void {
    if (property === 'hasVideo') this.#videoChanged('publishVideo');
  }

  _destroy(reason: string): void {
    if (this.#state === 'destroyed') return;
    const waiting = this.#state === 'waiting';
    this.#state = 'destroyed';
    this.#clearDeadline();
    this.#sizeWatcher?.disconnect();
    this.#quality.stop();
    for (const kind of ['audio', 'video'] as const) void this.#processors[kind]?.destroy().catch(() => undefined);
    if (this.#key !== null) this.#model.engine.unsubscribe(this.#key);
    this.detach();
    this.#model.subscribers.delete(this);
    this.#model.page.subscribers.delete(this);
    this.widget?.remove();
    queueEvent(this, new DestroyedEvent(reason));
    if (waiting) this.#finish(new OTError('OT_STREAM_DESTROYED', 'The subscription ended before media had arrived.'));
  }

  /** The client has left the session; what is kept on the page plays nothing any more. */
  _sessionEnded(): void {
    this.#key = null;
    this.#clearDeadline();
    if (this.#state === 'waiting')
      this.#finish(new OTError('OT_DISCONNECTED', 'The client left the session before media had arrived.'));
  }

  /** Inside a user's gesture: sound that the browser held back may start. */
  _unblock(): void {
    if (!this.#autoplayBlocked) return;
    this.#autoplayBlocked = false;
    this.#applySound();
    if (!this.#autoplayBlocked) queueEvent(this, new Event('audioUnblocked'));
  }

  /** Sends the sound to the output that the page chose. */
  async _routeSound(deviceId: string): Promise<void> {
    if (this.widget !== null) await routeSound(this.widget.video, deviceId);
  }

  protected override readLevel(): number | null {
    if (this.#media === null || this.#state === 'destroyed') return null;
    const [source] = this.#media.audio.getSynchronizationSources();
    return this.#soundPlays ? (source?.audioLevel ?? 0) : 0;
  }

  protected override listenersChanged(): void {
    super.listenersChanged();
    this.#quality.update();
  }

  get #hasVideo(): boolean {
    return this.stream?.hasVideo === true && this.#wantsVideo && this.#serverSendsVideo;
  }

  #build(target: Target): void {
    const options = this.#options;
    const widget = new Widget({
      ...options,
      kind: 'subscriber',
      target: this.findTarget(target, options.insertDefaultUI),
      mirror: false,
      fitMode: options.fitMode ?? (this.stream?.videoType === 'screen' ? 'contain' : 'cover'),
      name: this.stream?.name ?? '',
      initials: this.stream?.initials ?? '',
    });
    widget.onMutePressed = () => {
      if (this.#autoplayBlocked) this._unblock();
      else this.#subscribeToAudio(!this.#wantsAudio);
    };
    widget.onUnblockPressed = () => {
      this._unblock();
    };
    widget.setMuted(!this.#wantsAudio);
    this.adopt(widget, options.insertDefaultUI);
    this.#applyPoster();
    this.announceVideoElement(widget);
  }

  /** Plays what is attached: the audio track always, the video track when there is a picture to expect. */
  #play(): void {
    const { widget } = this;
    const media = this.#media;
    if (widget === null || media === null) return;
    for (const stop of this.#stopWaiting.splice(0)) stop();
    const { video } = widget;
    const tracks = this.#hasVideo ? [media.audio.track, media.video.track] : [media.audio.track];
    const first = this.#stream === null;
    const stream = (this.#stream ??= new MediaStream());
    for (const old of stream.getTracks()) stream.removeTrack(old);
    for (const track of tracks) stream.addTrack(track);
    if (video.srcObject !== stream) {
      video.muted = true;
      video.srcObject = stream;
    }
    if (first) queueEvent(this, new MediaStreamAvailableEvent(stream));
    video.play().catch(() => undefined); // muted playback is always allowed; a removed element needs none
    const { audioOutput } = this.#model.page;
    if (audioOutput !== null) void routeSound(video, audioOutput).catch(() => undefined);
    for (const kind of ['audio', 'video'] as const)
      if (this.#processors[kind] !== null) void this.#showTrack(kind, media[kind].track);
    this.updateLevels();
    this.#stopWaiting.push(
      whenSoundBegins(media.audio, media.audioFrom, () => {
        this.#soundPlays = true;
        this.#applySound();
      }),
    );
    if (!this.#hasVideo) {
      this.#arrived();
      return;
    }
    this.#stopWaiting.push(
      whenPictureBegins(video, media.video, media.videoFrom, () => {
        this.#picturePlays = true;
        widget.setPictureVisible(true);
        this.#applyPoster();
        this.#arrived();
      }),
    );
    // A hidden page presents no frames, yet the stream has arrived.
    if (document.hidden) {
      this.#stopWaiting.push(
        whenSoundBegins(media.video, media.videoFrom, () => {
          this.#arrived();
        }),
      );
    }
  }

  #arrived(): void {
    if (!this.#flows || !this.#publisherPresent) return;
    const first = this.#state === 'waiting';
    if (!first && this.#state !== 'disconnected') return;
    this.#state = 'connected';
    this.#clearDeadline();
    queueEvent(this, new Event('connected'));
    if (!first) return;
    this.#finish();
    this.widget?.setLoading(false);
    queueEvent(this, new Event('loaded'));
  }

  #interruptionChanged(): void {
    const interrupted = !this.#flows || !this.#publisherPresent;
    if (interrupted && this.#state === 'connected') {
      this.#state = 'disconnected';
      queueEvent(this, new Event('disconnected'));
    } else if (!interrupted && (this.#picturePlays || (this.#media !== null && !this.#hasVideo))) {
      this.#arrived();
    }
  }

  /** The picture came or went, for this reason. */
  #videoChanged(reason: string): void {
    const shows = this.#hasVideo;
    if (shows === this.#hadVideo) return;
    this.#hadVideo = shows;
    this.#applyPoster();
    queueEvent(this, new VideoEnabledChangedEvent(shows ? 'videoEnabled' : 'videoDisabled', reason));
    const tracks = (this.widget?.video.srcObject as MediaStream | null)?.getVideoTracks().length ?? 0;
    if (shows && this.#media !== null && tracks === 0) this.#addPicture();
    else if (!shows && this.#state === 'waiting' && this.#media !== null) this.#arrived();
  }

  /** The stream began without a picture and has one now. */
  #addPicture(): void {
    const { widget } = this;
    const media = this.#media;
    const stream = widget?.video.srcObject as MediaStream | null | undefined;
    if (widget === null || media === null || stream == null) return;
    stream.addTrack(media.video.track);
    this.#stopWaiting.push(
      whenPictureBegins(widget.video, media.video, media.videoFrom, () => {
        this.#picturePlays = true;
        widget.setPictureVisible(true);
        this.#applyPoster();
      }),
    );
  }

  #applyPoster(): void {
    this.widget?.setAudioOnly(!this.#hasVideo);
    this.updateLevels();
  }

  #applySound(): void {
    const { widget } = this;
    if (widget === null) return;
    const { video } = widget;
    video.volume = this.#volume / 100;
    const sounds = this.#soundPlays && this.#wantsAudio && !this.#autoplayBlocked;
    widget.setMuted(!this.#wantsAudio);
    widget.setAudioBlocked(this.#autoplayBlocked);
    if (video.muted !== sounds) return;
    video.muted = !sounds;
    if (!sounds) return;
    // A page that the user has not touched may not make sounds: the picture goes on, the sound waits for a gesture.
    video.play().catch((thrown: unknown) => {
      if (!(thrown instanceof DOMException) || thrown.name !== 'NotAllowedError') return;
      logger.warn('The browser holds the sound back until the user touches the page.');
      this.#autoplayBlocked = true;
      this.#applySound();
      queueEvent(this, new Event('audioBlocked'));
      video.play().catch(() => undefined);
      addEventListener(
        'pointerdown',
        () => {
          this._unblock();
        },
        { once: true },
      );
    });
  }

  #subscribeToAudio(wants: boolean): this {
    this.#wantsAudio = wants;
    this.#tellWishes();
    this.#applySound();
    return this;
  }

  #subscribeToVideo(wants: boolean): this {
    this.#wantsVideo = wants;
    this.#tellWishes();
    this.#videoChanged('subscribeToVideo');
    return this;
  }

  #setVolume(value: unknown): this {
    const wanted = volume(value);
    if (wanted !== undefined) this.#volume = wanted;
    this.#applySound();
    return this;
  }

  #tellWishes(): void {
    if (this.#key !== null) this.#model.engine.updateSubscription(this.#key, this.#wishes());
  }

  #wishes(): SubscriptionWishes {
    const { resolution, frameRate } = this.#picture;
    const size = resolution === 'auto' ? this.#shownSize : resolution;
    const rate = this.#restricted ? 1 : frameRate;
    return {
      audio: this.#wantsAudio,
      video: this.#wantsVideo,
      ...(size === null ? {} : { resolution: size }),
      ...(rate === null ? {} : { frameRate: rate }),
    };
  }

  /** With `auto`, asks for the size in which the element is shown as soon as that has settled. */
  #watchSize(): void {
    this.#sizeWatcher?.disconnect();
    this.#sizeWatcher = null;
    const { widget } = this;
    if (this.#picture.resolution !== 'auto' || widget === null || typeof ResizeObserver !== 'function') return;
    let steady: ReturnType<typeof setTimeout> | undefined;
    this.#sizeWatcher = new ResizeObserver(() => {
      clearTimeout(steady);
      steady = setTimeout(() => {
        const { clientWidth, clientHeight } = widget.video;
        const width = Math.round(clientWidth * devicePixelRatio);
        const height = Math.round(clientHeight * devicePixelRatio);
        const known = this.#shownSize;
        if (width === 0 || height === 0 || (known?.width === width && known.height === height)) return;
        this.#shownSize = { width, height };
        this.#tellWishes();
      }, STEADY_SIZE_MS);
    });
    this.#sizeWatcher.observe(widget.video);
  }

  /** What the slot counted for the streams before must not count for this one. */
  async #countFromHere(media: SlotMedia): Promise<void> {
    const [audio, video] = await Promise.all([media.audio.getStats(), media.video.getStats()]);
    if (media !== this.#media) return;
    this.#counters.audio.begin(audio);
    this.#counters.video.begin(video);
  }

  async #reports(): Promise<Record<Kind, RTCStatsReport>> {
    const media = this.#media;
    if (media === null) throw new OTError('OT_NOT_CONNECTED', 'No media of the stream is received.');
    const [audio, video] = await Promise.all([media.audio.getStats(), media.video.getStats()]);
    return { audio, video };
  }

  async #readStats(): Promise<SubscriberStats> {
    const reports = await this.#reports();
    const { hasAudio = false, videoType } = this.stream ?? {};
    const heard = hasAudio || this.#soundPlays;
    return receivedStats(reports, this.#counters, this.#rates, { audio: heard, video: videoType !== undefined });
  }

  async #process(kind: Kind, connector: unknown): Promise<void> {
    if (connector !== null && !isProcessor(connector))
      throw new OTError('OT_INVALID_PARAMETER', 'A connector has the methods setTrack and destroy.');
    const before = this.#processors[kind];
    this.#processors[kind] = connector as Processor | null;
    if (this.#media !== null) await this.#showTrack(kind, this.#media[kind].track);
    await before?.destroy();
  }

  /** Puts the track, or what the processor makes of it, in the place of the one of its kind that is shown. */
  async #showTrack(kind: Kind, received: MediaStreamTrack): Promise<void> {
    const media = this.#media;
    const track = (await this.#processors[kind]?.setTrack(received)) ?? received;
    const stream = this.widget?.video.srcObject as MediaStream | null | undefined;
    if (stream == null || media !== this.#media) return;
    for (const shown of kind === 'audio' ? stream.getAudioTracks() : stream.getVideoTracks())
      if (shown !== track) stream.removeTrack(shown);
    stream.addTrack(track);
  }

  #clearDeadline(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = null;
  }

  #finish(error?: OTError): void {
    const done = this.#done;
    this.#done = undefined;
    queueJob(() => {
      callBack(done, error);
    });
  }
}
