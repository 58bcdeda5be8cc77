/** A Publisher: a local preview of camera, microphone or screen, which a Session can publish. */
import { findTarget, Widget } from '../dom/index.ts';
import type { Publication } from '../engine/index.ts';
import { asOTError, OTError } from '../errors.ts';
import { flag, publisherOptions, type Properties, type PublisherOptions } from '../options.ts';
import { capture, captureScreen } from '../rtc/index.ts';
import type { Dimensions, Reason, StreamDescription, StreamUpdate } from '../wire/index.ts';
import type { Target } from './arguments.ts';
import { queueEvent } from './emitter.ts';
import {
  AccessDeniedEvent,
  AccessDialogOpenedEvent,
  DestroyedEvent,
  Event,
  MediaStoppedEvent,
  MediaStreamAvailableEvent,
  MuteForcedEvent,
} from './events.ts';
import type { Page } from './page.ts';
import { settle, withPromise, type Done } from './promises.ts';
import type { Session } from './session.ts';
import { queueJob } from './tasks.ts';
import type { Stream } from './values.ts';
import { View } from './view.ts';

/** If the browser has not answered by then, it is probably asking the user. */
const DIALOG_GUESS_MS = 500;

/** Members that begin with an underscore are the library's own. */
export class Publisher extends View implements Publication {
  /** Undefined until the user or the browser has decided. */
  accessAllowed: boolean | undefined = undefined;
  /** The session while publishing to one. */
  session: Session | null = null;
  readonly publishAudio = withPromise((value?: unknown) => this.#setAudio(flag(value, true)));
  readonly publishVideo = withPromise((value?: unknown, done?: unknown) =>
    this.#setVideo(flag(value, true), done as Done | undefined),
  );
  /** Stops streaming and capture, removes the element, dispatches `destroyed`. Harmless when repeated. */
  readonly destroy = withPromise((done?: unknown): this => {
    this._destroy('clientDisconnected');
    if (typeof done === 'function') void settle(Promise.resolve(), done as Done);
    return this;
  });

  /** Resolves when there is media to publish; rejects with why there is none. */
  readonly _ready: Promise<void>;

  readonly #page: Page;
  #options: PublisherOptions;
  #media: MediaStream | null = null;
  /** Tracks that we opened and therefore stop. */
  readonly #captured: MediaStreamTrack[] = [];
  #sendsAudio: boolean;
  #sendsVideo: boolean;
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
    this._ready = this.#start();
    void settle(this._ready, done as Done<void> | undefined);
  }

  /** What is captured by default is taken by name from the options. */
  tracks(): { audio: MediaStreamTrack | null; video: MediaStreamTrack | null; audioBitrateBps?: number } {
    const { audioBitrateBps } = this.#options;
    return {
      audio: this.#media?.getAudioTracks()[0] ?? null,
      video: this.#media?.getVideoTracks()[0] ?? null,
      ...(audioBitrateBps === undefined ? {} : { audioBitrateBps }),
    };
  }

  /** The track of the microphone or of the application's own audio source. */
  getAudioSource(): MediaStreamTrack | null {
    return this.tracks().audio;
  }

  getVideoSource(): { deviceId: string | null; type: string | null; track: MediaStreamTrack | null } {
    const track = this.tracks().video;
    const type = this.#options.videoKind === 'none' ? null : this.#options.videoKind;
    return { deviceId: track?.getSettings().deviceId ?? null, type, track };
  }

  /** What `publish` says of this publisher's stream. */
  _description(): StreamDescription {
    const { audio, video } = this.tracks();
    const { name, initials, videoKind, frameRate } = this.#options;
    return {
      name,
      ...(initials === undefined ? {} : { initials }),
      hasAudio: audio !== null && this.#sendsAudio,
      hasVideo: video !== null && this.#sendsVideo,
      ...(video === null || videoKind === 'none' ? {} : { videoType: videoKind }),
      videoDimensions: this.#dimensions(),
      ...(frameRate === undefined ? {} : { frameRate }),
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
    this.#page.publishers.delete(this);
    this.session?._endPublishing(this, reason === 'mediaStopped' ? 'mediaStopped' : 'clientDisconnected');
    for (const track of this.#captured) track.stop();
    this.widget?.remove();
    queueEvent(this, new DestroyedEvent(reason));
  }

  #build(target: Target): void {
    const options = this.#options;
    const element = options.insertDefaultUI ? findTarget(target) : null;
    if (element === undefined)
      throw new OTError('OT_INVALID_PARAMETER', `There is no element with the id "${String(target)}".`);
    const widget = new Widget({
      ...options,
      kind: 'publisher',
      target: element,
      fitMode: options.fitMode ?? (options.videoKind === 'screen' ? 'contain' : 'cover'),
      initials: options.initials ?? '',
    });
    widget.onMutePressed = () => {
      this.#setAudio(!this.#sendsAudio);
    };
    widget.setMuted(!options.publishAudio);
    this.adopt(widget, options.insertDefaultUI);
  }

  async #start(): Promise<void> {
    if (this.#failure !== null) {
      this.#page.raise(this.#failure, this);
      throw this.#failure;
    }
    let dialogOpened = false;
    const dialog = setTimeout(() => {
      dialogOpened = true;
      queueEvent(this, new AccessDialogOpenedEvent());
    }, DIALOG_GUESS_MS);
    let media: MediaStream;
    try {
      media = await this.#open();
    } catch (thrown) {
      throw this.#refused(asOTError(thrown, 'OT_UNABLE_TO_CAPTURE_MEDIA'), dialogOpened);
    } finally {
      clearTimeout(dialog);
    }
    if (this.#destroyed) {
      for (const track of this.#captured) track.stop();
      throw new OTError('OT_USER_MEDIA_ACCESS_DENIED', 'The publisher was destroyed while it was being made.');
    }
    this.#allowed(media, dialogOpened);
  }

  async #open(): Promise<MediaStream> {
    const { audioTrack, videoTrack, videoKind, capture: wishes, publishAudio, maxWidth, maxHeight } = this.#options;
    const own = [audioTrack, videoTrack].filter((track) => track !== null);
    const needs = {
      audio: audioTrack === null ? wishes.audio : false,
      video: videoKind === 'camera' ? wishes.video : false,
    };
    if (videoKind === 'screen') {
      const wantsSound = publishAudio && needs.audio === true;
      const screen = await captureScreen({
        width: maxWidth,
        height: maxHeight,
        frameRate: wishes.frameRate,
        audio: wantsSound,
      });
      this.#captured.push(...screen.getTracks());
      own.push(...screen.getTracks());
      needs.audio = typeof needs.audio === 'string' ? needs.audio : false;
    }
    if (needs.audio !== false || needs.video !== false || own.length === 0) {
      const captured = await capture({ ...wishes, ...needs });
      this.#captured.push(...captured.getTracks());
      own.push(...captured.getTracks());
    }
    return new MediaStream(own);
  }

  #allowed(media: MediaStream, dialogOpened: boolean): void {
    this.#media = media;
    this.accessAllowed = true;
    this.#applySending();
    const [video] = media.getVideoTracks();
    if (video !== undefined && this.#options.videoContentHint !== '')
      video.contentHint = this.#options.videoContentHint;
    for (const track of media.getTracks())
      track.addEventListener('ended', () => {
        this.#trackEnded(track);
      });
    if (dialogOpened) queueEvent(this, new Event('accessDialogClosed'));
    queueEvent(this, new Event('accessAllowed'));
    queueEvent(this, new MediaStreamAvailableEvent(media));
    const { widget } = this;
    if (widget === null) return;
    this.announceVideoElement(widget);
    widget.video.srcObject = media;
    widget.setPictureVisible(true);
    widget.video.play().catch(() => undefined); // a preview that is not in the page yet starts when it is
    const shown = (): void => {
      widget.setLoading(false);
      queueEvent(this, new Event('loaded'));
    };
    if (video === undefined) queueJob(shown);
    else widget.video.addEventListener('loadeddata', shown, { once: true });
    widget.video.addEventListener('resize', () => {
      this.#resized();
    });
  }

  #refused(error: OTError, dialogOpened: boolean): OTError {
    this.accessAllowed = false;
    if (dialogOpened) queueEvent(this, new Event('accessDialogClosed'));
    if (error.name === 'OT_USER_MEDIA_ACCESS_DENIED') {
      const concerned = this.#options.videoKind === 'none' ? 'Microphone' : 'Camera';
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
    this.#tell({ hasAudio: this.tracks().audio !== null && sends });
    return this;
  }

  #setVideo(sends: boolean, done?: Done): this {
    this.#sendsVideo = sends;
    this.#applySending();
    this.#tell({ hasVideo: this.tracks().video !== null && sends });
    void settle(Promise.resolve(), done);
    return this;
  }

  /** Tracks stay open while muted: they send silence and black, and are back at once. */
  #applySending(): void {
    const { audio, video } = this.tracks();
    if (audio !== null) audio.enabled = this.#sendsAudio;
    if (video !== null) video.enabled = this.#sendsVideo;
    this.widget?.setMuted(!this.#sendsAudio);
    if (this.#media !== null) this.widget?.setAudioOnly(video === null || !this.#sendsVideo);
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
    const video = this.tracks().video;
    if (video === null) return { width: 0, height: 0 };
    const { width, height } = video.getSettings();
    const { capture: wished } = this.#options;
    return { width: Math.round(width ?? wished.width), height: Math.round(height ?? wished.height) };
  }

  /** The user stopped sharing, or a device is gone. */
  #trackEnded(track: MediaStreamTrack): void {
    if (this.#destroyed) return;
    queueEvent(this, new MediaStoppedEvent(track), () => {
      this._destroy('mediaStopped');
    });
  }
}
