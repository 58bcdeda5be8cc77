/** A Subscriber: the element in which another client's stream, or an own one, is seen and heard. */
import { Widget } from '../dom/index.ts';
import type { SlotMedia, SlotSound, SubscriptionSink } from '../engine/index.ts';
import { OTError } from '../errors.ts';
import { flag, subscriberOptions, volume, type Properties, type SubscriberOptions } from '../options.ts';
import { merged, routeSound, type SenderStats, type SubscriberStats } from '../rtc/index.ts';
import type { SenderEstimates, StreamProperty } from '../wire/index.ts';
import type { Target } from './arguments.ts';
import { queueEvent } from './emitter.ts';
import { CaptionReceivedEvent, Event, VideoEnabledChangedEvent } from './events.ts';
import { Playback } from './playback.ts';
import { settle, withQuickPromise, type Done } from './promises.ts';
import { watchSubscriberQuality } from './quality.ts';
import { SecretWatch } from './secret-watch.ts';
import type { Session } from './session.ts';
import type { SessionModel } from './session-model.ts';
import { SubscriberWishes } from './subscriber-wishes.ts';
import { callBack, queueJob } from './tasks.ts';
import type { Stream } from './values.ts';
import { View } from './view.ts';

/** How long media may take to arrive before the subscription counts as failed. */
const MEDIA_DEADLINE_MS = 30_000;

/** Members that begin with an underscore are the library's own. */
export class Subscriber extends View implements SubscriptionSink {
  readonly session: Session;
  readonly subscribeToAudio = withQuickPromise((value?: unknown) => this.#subscribeToAudio(flag(value, true)));
  readonly subscribeToVideo = withQuickPromise((value?: unknown) => this.#subscribeToVideo(flag(value, true)));
  readonly setAudioVolume = withQuickPromise((value?: unknown) => this.#setVolume(value));
  /** At most about one picture a second while it is on. */
  readonly restrictFrameRate = withQuickPromise((value?: unknown): this => {
    this.#wishes.restrict(flag(value, true));
    return this;
  });

  readonly #model: SessionModel;
  readonly #options: SubscriberOptions;
  readonly #wishes: SubscriberWishes;
  readonly #playback: Playback;
  readonly #quality = watchSubscriberQuality(this, () => this.#readStats());
  #key: number | null = null;
  #deadline: ReturnType<typeof setTimeout> | null = null;
  readonly #secret = new SecretWatch((matches) => {
    this.#secretChanged(matches);
  });
  #done: Done | undefined;
  #captions: boolean;
  #captionsLanguage: string | null;
  /** Whether there was a picture to show when that was last told. */
  #hadVideo: boolean;
  /** False when the server says that it cannot send this video. */
  #serverSendsVideo = true;
  #warned = false;
  /** What the publisher's client has said last of its network; null if it says nothing. */
  #senderStats: SenderStats | null = null;
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
    this.#wishes = new SubscriberWishes(this.#options, () => {
      this.#tellWishes();
    });
    this.#playback = this.#makePlayback();
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
    this.#wishes.watch(this.widget?.video ?? null);
    this.#key = model.engine.subscribe(stream.streamId, this.#wishes.toWire(), this);
  }

  getAudioVolume(): number {
    return this.#playback.volume;
  }

  /** Whether the browser's autoplay rule keeps the sound off. */
  isAudioBlocked(): boolean {
    return this.#playback.autoplayBlocked;
  }

  /** Asks for the layer nearest to a size; `auto` follows the element, null clears the wish. */
  setPreferredResolution(size?: unknown): Promise<void> {
    return settle(this.#wishes.setResolution(size));
  }

  /** Asks for the layer nearest to so many frames per second; null clears the wish. */
  setPreferredFrameRate(rate?: unknown): Promise<void> {
    return settle(this.#wishes.setFrameRate(rate));
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
    return settle(this.#playback.reports().then(({ audio, video }) => merged(audio, video)));
  }

  /** Shows what the application's processor makes of the picture; null takes the processor away. */
  setVideoMediaProcessorConnector(connector?: unknown): Promise<void> {
    return settle(this.#playback.process('video', connector));
  }

  setAudioMediaProcessorConnector(connector?: unknown): Promise<void> {
    return settle(this.#playback.process('audio', connector));
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
    this.#secret.attach(media);
    this.#playback.attach(media);
  }

  /** In a large session the sound comes by another line than the pair's. */
  carry(sound: SlotSound | null): void {
    if (this.#state !== 'destroyed') this.#playback.carry(sound);
  }

  suspend(): void {
    this.#secret.detach();
    this.#playback.suspend();
  }

  detach(): void {
    this.#secret.detach();
    this.#playback.detach();
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
    if (!enabled) this.#warned = false;
    this.widget?.setVideoDisabled(!enabled && reason === 'quality' ? 'disabled' : 'no');
    this.#videoChanged(reason);
  }

  /** The router is about to leave the video out, or will not after all. */
  videoWarning(active: boolean): void {
    if (active === this.#warned) return;
    this.#warned = active;
    this.widget?.setVideoDisabled(active ? 'warning' : 'no');
    queueEvent(this, new Event(active ? 'videoDisableWarning' : 'videoDisableWarningLifted'));
  }

  caption(caption: string, isFinal: boolean): void {
    if (this.#captions) queueEvent(this, new CaptionReceivedEvent(this.streamId ?? '', caption, isFinal));
  }

  senderStats({ maxAllocatedBitrate, estimatedBandwidth }: SenderEstimates): void {
    this.#senderStats = {
      connectionMaxAllocatedBitrate: maxAllocatedBitrate,
      connectionEstimatedBandwidth: estimatedBandwidth,
    };
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

  _streamChanged(property: StreamProperty, forQuality = false): void {
    if (property !== 'hasVideo') return;
    this.widget?.setVideoDisabled(forQuality && this.stream?.hasVideo === false ? 'disabled' : 'no');
    this.#videoChanged(forQuality ? 'quality' : 'publishVideo');
  }

  _destroy(reason: string): void {
    if (this.#state === 'destroyed') return;
    const waiting = this.#state === 'waiting';
    this.#state = 'destroyed';
    this.#clearDeadline();
    this.#wishes.stop();
    this.#quality.stop();
    this.#playback.endProcessors();
    if (this.#key !== null) this.#model.engine.unsubscribe(this.#key);
    this.detach();
    this.#model.subscribers.delete(this);
    this.#model.page.subscribers.delete(this);
    this.widget?.remove();
    this.#model.page.era.destroyed(this, reason);
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
    this.#playback.unblock();
  }

  /** Sends the sound to the output that the page chose. */
  async _routeSound(deviceId: string): Promise<void> {
    if (this.widget !== null) await routeSound(this.widget.video, deviceId);
  }

  protected override elementMissing(error: OTError): void {
    this.#model.page.raise(error, this);
    this._destroy('unsubscribed');
  }

  protected override readLevel(): number | null {
    return this.#state === 'destroyed' ? null : this.#playback.level();
  }

  protected override listenersChanged(): void {
    super.listenersChanged();
    this.#quality.update();
  }

  get #hasVideo(): boolean {
    return this.stream?.hasVideo === true && this.#wishes.video && this.#serverSendsVideo;
  }

  #makePlayback(): Playback {
    return new Playback(
      {
        emitter: this,
        widget: () => this.widget,
        audioOutput: () => this.#model.page.audioOutput,
        hasVideo: () => this.#hasVideo,
        wantsAudio: () => this.#wishes.audio,
        arrived: () => {
          this.#arrived();
        },
        changed: () => {
          this.#applyPoster();
        },
      },
      this.#options.audioVolume,
    );
  }

  #build(target: Target): void {
    const options = this.#options;
    const widget = new Widget({
      ...options,
      kind: 'subscriber',
      target: this.findTarget(target, options.insertDefaultUI),
      newId: () => this.newElementId('subscriber'),
      mirror: false,
      fitMode: options.fitMode ?? (this.stream?.videoType === 'screen' ? 'contain' : 'cover'),
      name: this.stream?.name ?? '',
      initials: this.stream?.initials ?? '',
    });
    widget.onMutePressed = () => {
      if (this.#playback.autoplayBlocked) this._unblock();
      else this.#subscribeToAudio(!this.#wishes.audio);
    };
    widget.onUnblockPressed = () => {
      this._unblock();
    };
    widget.setMuted(!this.#wishes.audio);
    this.adopt(widget, options.insertDefaultUI);
    this.#applyPoster();
    this.announceVideoElement(widget);
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
    const { media, picturePlays } = this.#playback;
    if (interrupted && this.#state === 'connected') {
      this.#state = 'disconnected';
      queueEvent(this, new Event('disconnected'));
    } else if (!interrupted && (picturePlays || (media !== null && !this.#hasVideo))) {
      this.#arrived();
    }
  }

  /** What comes can be decrypted, or cannot: then there is nothing to wait for and nothing to show. */
  #secretChanged(matches: boolean): void {
    if (this.#state === 'destroyed') return;
    if (!matches) {
      this.widget?.setPictureVisible(false);
      this.#arrived();
    } else if (this.#playback.picturePlays) this.widget?.setPictureVisible(true);
    queueEvent(this, new Event(matches ? 'encryptionSecretMatch' : 'encryptionSecretMismatch'));
  }

  /** The picture came or went, for this reason. */
  #videoChanged(reason: string): void {
    const shows = this.#hasVideo;
    if (shows === this.#hadVideo) return;
    this.#hadVideo = shows;
    this.#applyPoster();
    queueEvent(this, new VideoEnabledChangedEvent(shows ? 'videoEnabled' : 'videoDisabled', reason));
    if (shows) this.#playback.addPicture();
    else if (this.#state === 'waiting' && this.#playback.media !== null) this.#arrived();
  }

  #applyPoster(): void {
    this.widget?.setAudioOnly(!this.#hasVideo);
    this.updateLevels();
  }

  #subscribeToAudio(wants: boolean): this {
    this.#wishes.audio = wants;
    this.#tellWishes();
    this.#playback.applySound();
    return this;
  }

  #subscribeToVideo(wants: boolean): this {
    this.#wishes.video = wants;
    this.#tellWishes();
    this.#videoChanged('subscribeToVideo');
    return this;
  }

  #setVolume(value: unknown): this {
    const wanted = volume(value);
    if (wanted !== undefined) this.#playback.volume = wanted;
    this.#playback.applySound();
    return this;
  }

  #tellWishes(): void {
    if (this.#key !== null) this.#model.engine.updateSubscription(this.#key, this.#wishes.toWire());
  }

  async #readStats(): Promise<SubscriberStats> {
    const { hasAudio = false, videoType } = this.stream ?? {};
    const stats = await this.#playback.stats({ audio: hasAudio, video: videoType !== undefined });
    return this.#senderStats === null ? stats : { ...stats, senderStats: this.#senderStats };
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
