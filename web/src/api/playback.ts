/** What a Subscriber plays: the media of its slot pair, out of sight and hearing until it is surely its stream's. */
import type { Widget } from '../dom/index.ts';
import type { SlotMedia, SlotSound } from '../engine/index.ts';
import { OTError } from '../errors.ts';
import { logger } from '../logger.ts';
import {
  Rates,
  ReceivedCounters,
  receivedStats,
  routeSound,
  whenPictureBegins,
  whenSoundBegins,
  type Kind,
  type Processor,
  type Receiver,
  type SubscriberStats,
} from '../rtc/index.ts';
import { isProcessor } from './arguments.ts';
import { queueEvent, type Emitter } from './emitter.ts';
import { Event, MediaStreamAvailableEvent } from './events.ts';

/** The Subscriber, as far as its playback must know it. */
export interface PlaybackOwner {
  /** Dispatches the events. */
  readonly emitter: Emitter;
  widget(): Widget | null;
  /** Where sound comes out; null for the browser's default. */
  audioOutput(): string | null;
  /** Whether there is a picture to expect. */
  hasVideo(): boolean;
  wantsAudio(): boolean;
  /** Media of the stream has begun. */
  arrived(): void;
  /** What is shown in place of a picture, and what is measured, may have to change. */
  changed(): void;
}

/** A line that has played nothing new for so long is silent, whatever level it says last. */
const SILENT_MS = 1_000;

export class Playback {
  media: SlotMedia | null = null;
  picturePlays = false;
  soundPlays = false;
  /** Whether the browser's autoplay rule keeps the sound off. */
  autoplayBlocked = false;
  /** From 0 to 100. */
  volume: number;
  /** One for the subscriber's whole life, whatever transport and slot its tracks come from; null before the first. */
  private stream: MediaStream | null = null;
  private stopWaiting: (() => void)[] = [];
  private stopSound: (() => void) | null = null;
  /** The line that the sound comes by in place of the pair's; null for the pair's. */
  private sound: SlotSound | null = null;
  /** The counting of the audio line follows its changes, one after the other. */
  private counting: Promise<unknown> = Promise.resolve();
  private heard = { rtpTimestamp: -1, at: 0 };
  private readonly counters = { audio: new ReceivedCounters(), video: new ReceivedCounters() };
  private readonly rates = new Rates();
  private readonly processors: Record<Kind, Processor | null> = { audio: null, video: null };

  constructor(
    private readonly owner: PlaybackOwner,
    volume: number,
  ) {
    this.volume = volume;
  }

  /** Puts the stream's media into the element. After `suspend` the element and its MediaStream stay as they are. */
  attach(media: SlotMedia): void {
    if (this.media !== null) this.detach();
    this.media = media;
    if (media.audioFrom !== null || media.videoFrom !== null) void this.countFromHere(media);
    this.play();
  }

  /** The sound comes by this line, or by the pair's again (null); it is heard when it is surely the stream's. */
  carry(sound: SlotSound | null): void {
    const { media } = this;
    if (media === null) return;
    const before = this.sound?.receiver ?? media.audio;
    this.sound = sound;
    const receiver = this.sound?.receiver ?? media.audio;
    this.counting = this.counting.then(() => this.countOn(media, before, receiver)).catch(() => undefined);
    this.soundPlays = false;
    this.applySound();
    void this.showTrack('audio', receiver.track);
    this.awaitSound(receiver, sound === null ? afterNewest(receiver) : sound.from);
  }

  suspend(): void {
    this.stopSound?.();
    this.stopSound = null;
    this.sound = null;
    for (const stop of this.stopWaiting.splice(0)) stop();
    this.counters.audio.end();
    this.counters.video.end();
    this.media = null;
    this.picturePlays = false;
    this.soundPlays = false;
  }

  detach(): void {
    this.suspend();
    // The application may show the stream in an element of its own: the tracks will soon carry another's media.
    for (const track of this.stream?.getTracks() ?? []) this.stream?.removeTrack(track);
    const widget = this.owner.widget();
    if (widget === null) return;
    widget.setPictureVisible(false);
    widget.video.muted = true;
    widget.video.srcObject = null;
  }

  /** Lets the application's processors go. */
  endProcessors(): void {
    for (const kind of ['audio', 'video'] as const) void this.processors[kind]?.destroy().catch(() => undefined);
  }

  /** The stream has a picture now: shows it, if it began without one. */
  addPicture(): void {
    const { media } = this;
    const widget = this.owner.widget();
    const stream = widget?.video.srcObject as MediaStream | null | undefined;
    if (widget === null || media === null || stream == null || stream.getVideoTracks().length > 0) return;
    stream.addTrack(media.video.track);
    this.stopWaiting.push(
      whenPictureBegins(widget.video, media.video, media.videoFrom, () => {
        this.showPicture(widget);
      }),
    );
  }

  /** Inside a user's gesture: sound that the browser held back may start. */
  unblock(): void {
    if (!this.autoplayBlocked) return;
    this.autoplayBlocked = false;
    this.applySound();
    if (!this.autoplayBlocked) queueEvent(this.owner.emitter, new Event('audioUnblocked'));
  }

  /** Lets the sound be heard, or not, as the application, the browser and the stream want it. */
  applySound(): void {
    const widget = this.owner.widget();
    if (widget === null) return;
    const { video } = widget;
    const wanted = this.owner.wantsAudio();
    video.volume = this.volume / 100;
    const sounds = this.soundPlays && wanted && !this.autoplayBlocked;
    widget.setMuted(!wanted);
    widget.setAudioBlocked(this.autoplayBlocked);
    if (video.muted !== sounds) return;
    video.muted = !sounds;
    if (sounds) this.playAloud(video);
  }

  /** The loudness of this moment, from 0 to 1; null without media. */
  level(): number | null {
    if (this.media === null) return null;
    const [source] = (this.sound?.receiver ?? this.media.audio).getSynchronizationSources();
    if (!this.soundPlays || source === undefined) return 0;
    const now = performance.now();
    if (source.rtpTimestamp !== this.heard.rtpTimestamp) this.heard = { rtpTimestamp: source.rtpTimestamp, at: now };
    return now - this.heard.at > SILENT_MS ? 0 : (source.audioLevel ?? 0);
  }

  /** The browser's own reports. Rejects with OT_NOT_CONNECTED without media. */
  async reports(): Promise<Record<Kind, RTCStatsReport>> {
    const { media } = this;
    if (media === null) throw new OTError('OT_NOT_CONNECTED', 'No media of the stream is received.');
    const [audio, video] = await Promise.all([
      (this.sound?.receiver ?? media.audio).getStats(),
      media.video.getStats(),
    ]);
    return { audio, video };
  }

  /** What has arrived, with a part for each medium that the stream has. Rejects as `reports` does. */
  async stats(has: Record<Kind, boolean>): Promise<SubscriberStats> {
    await this.counting;
    const reports = await this.reports();
    return receivedStats(reports, this.counters, this.rates, { ...has, audio: has.audio || this.soundPlays });
  }

  /** Shows what the application's processor makes of a track; null takes the processor away. */
  async process(kind: Kind, connector: unknown): Promise<void> {
    if (connector !== null && !isProcessor(connector))
      throw new OTError('OT_INVALID_PARAMETER', 'A connector has the methods setTrack and destroy.');
    const before = this.processors[kind];
    this.processors[kind] = connector as Processor | null;
    if (this.media !== null) await this.showTrack(kind, this.media[kind].track);
    await before?.destroy();
  }

  /** Plays what is attached: the audio track always, the video track when there is a picture to expect. */
  private play(): void {
    const { media } = this;
    const widget = this.owner.widget();
    if (widget === null || media === null) return;
    for (const stop of this.stopWaiting.splice(0)) stop();
    const { video } = widget;
    this.fill(video, this.owner.hasVideo() ? [media.audio.track, media.video.track] : [media.audio.track]);
    video.play().catch(() => undefined); // muted playback is always allowed; a removed element needs none
    const audioOutput = this.owner.audioOutput();
    if (audioOutput !== null) void routeSound(video, audioOutput).catch(() => undefined);
    for (const kind of ['audio', 'video'] as const)
      if (this.processors[kind] !== null) void this.showTrack(kind, media[kind].track);
    this.owner.changed();
    this.awaitSound(media.audio, media.audioFrom);
    if (this.owner.hasVideo()) this.awaitPicture(widget, media);
    else this.owner.arrived();
  }

  private awaitSound(receiver: Receiver, from: number | null): void {
    this.stopSound?.();
    this.stopSound = whenSoundBegins(receiver, from, () => {
      this.soundPlays = true;
      this.applySound();
    });
  }

  private fill(video: HTMLVideoElement, tracks: readonly MediaStreamTrack[]): void {
    const first = this.stream === null;
    const stream = (this.stream ??= new MediaStream());
    for (const old of stream.getTracks()) stream.removeTrack(old);
    for (const track of tracks) stream.addTrack(track);
    if (video.srcObject !== stream) {
      video.muted = true;
      video.srcObject = stream;
    }
    if (first) queueEvent(this.owner.emitter, new MediaStreamAvailableEvent(stream));
  }

  private awaitPicture(widget: Widget, media: SlotMedia): void {
    this.stopWaiting.push(
      whenPictureBegins(widget.video, media.video, media.videoFrom, () => {
        this.showPicture(widget);
        this.owner.arrived();
      }),
    );
    // A hidden page presents no frames, yet the stream has arrived.
    if (document.hidden) {
      this.stopWaiting.push(
        whenSoundBegins(media.video, media.videoFrom, () => {
          this.owner.arrived();
        }),
      );
    }
  }

  private showPicture(widget: Widget): void {
    this.picturePlays = true;
    widget.setPictureVisible(true);
    this.owner.changed();
  }

  /** A page that the user has not touched may not make sounds: the picture goes on, the sound waits for a gesture. */
  private playAloud(video: HTMLVideoElement): void {
    video.play().catch((thrown: unknown) => {
      if (!(thrown instanceof DOMException) || thrown.name !== 'NotAllowedError') return;
      logger.warn('The browser holds the sound back until the user touches the page.');
      this.autoplayBlocked = true;
      this.applySound();
      queueEvent(this.owner.emitter, new Event('audioBlocked'));
      video.play().catch(() => undefined);
      addEventListener(
        'pointerdown',
        () => {
          this.unblock();
        },
        { once: true },
      );
    });
  }

  /** What the slot counted for the streams before must not count for this one. */
  private async countFromHere(media: SlotMedia): Promise<void> {
    const [audio, video] = await Promise.all([media.audio.getStats(), media.video.getStats()]);
    if (media !== this.media) return;
    this.counters.audio.begin(audio);
    this.counters.video.begin(video);
  }

  /** What one audio line has counted for this stream stays, and the other counts on from what it has. */
  private async countOn(media: SlotMedia, from: Receiver, to: Receiver): Promise<void> {
    const [before, after] = await Promise.all([from.getStats(), to.getStats()]);
    if (media !== this.media) return;
    this.counters.audio.read(before);
    this.counters.audio.begin(after);
  }

  /** Puts the track, or what the processor makes of it, in the place of the one of its kind that is shown. */
  private async showTrack(kind: Kind, received: MediaStreamTrack): Promise<void> {
    const { media } = this;
    const track = (await this.processors[kind]?.setTrack(received)) ?? received;
    const stream = this.owner.widget()?.video.srcObject as MediaStream | null | undefined;
    if (stream == null || media === null || media !== this.media) return;
    const wanted = kind === 'audio' ? (this.sound?.receiver ?? media.audio) : media.video;
    if (wanted.track !== received) return;
    for (const shown of kind === 'audio' ? stream.getAudioTracks() : stream.getVideoTracks())
      if (shown !== track) stream.removeTrack(shown);
    stream.addTrack(track);
  }
}

/** The timestamp after what the line has played last: what comes from there on is new; null if it has played nothing. */
function afterNewest(receiver: Receiver): number | null {
  const [newest] = receiver.getSynchronizationSources();
  return newest === undefined ? null : (newest.rtpTimestamp + 1) >>> 0;
}
