/** How a publisher's video is sized and encoded: what the application asked for, applied to what is captured and sent. */
import { asOTError, OTError } from '../errors.ts';
import { logger } from '../logger.ts';
import type { SendTracks, SentLines } from '../rtc/index.ts';

export type BitratePreset = 'default' | 'bw_saver' | 'extra_bw_saver' | 'custom';

/** Raw bitrates that may be asked for, in bits per second. */
const BITRATES = { least: 5_000, most: 10_000_000 };
/** What a preset leaves of the bitrate that a picture of that size usually takes. Our own choice. */
const SHARES: Readonly<Record<Exclude<BitratePreset, 'custom' | 'default'>, number>> = {
  bw_saver: 0.6,
  extra_bw_saver: 0.35,
};
/** Bits per pixel of the usual bitrate at 30 frames a second: 640x480 gives 645 kbit/s. Our own choice. */
const BITS_PER_PIXEL = 0.07;
const HINTS = ['', 'motion', 'detail', 'text'];
const SCALABILITY = /^L[1-3]T[1-3]$/;

export interface EncodingSubject {
  /** The captured video track; null without video. */
  raw(): MediaStreamTrack | null;
  /** Whether the video comes from a camera. */
  isCamera(): boolean;
  lines(): SentLines | null;
}

export class PublisherEncoding {
  private preset: BitratePreset | undefined;
  private bitrateBps: number | undefined;
  private scalability: string | undefined;
  private hint: string;

  constructor(
    private readonly subject: EncodingSubject,
    hint: string,
  ) {
    this.hint = HINTS.includes(hint) ? hint : '';
  }

  /** What later lines are made with. */
  wishes(): Pick<SendTracks, 'videoBitrateBps' | 'scalabilityMode'> {
    return { videoBitrateBps: this.bitrateBps, scalabilityMode: this.scalability };
  }

  /** Another track is captured: it gets what was asked for before. */
  apply(): void {
    const track = this.subject.raw();
    if (track !== null && 'contentHint' in track) track.contentHint = this.hint;
  }

  /** What is captured has another size. */
  fit(size: { readonly width: number; readonly height: number }): void {
    this.subject
      .lines()
      ?.fitVideo(size)
      .catch((error: unknown) => {
        logger.warn('The sizes in which the video is sent could not be changed.', error);
      });
  }

  getHint(): string {
    return this.hint;
  }

  async setHint(hint: unknown): Promise<void> {
    if (typeof hint !== 'string' || !HINTS.includes(hint))
      throw new OTError('OT_INVALID_PARAMETER', "A content hint is '', motion, detail or text.");
    this.hint = hint;
    this.apply();
  }

  getBitrate(): number | undefined {
    return this.bitrateBps;
  }

  async setBitrate(bps: unknown): Promise<void> {
    if (typeof bps !== 'number' || !(bps >= BITRATES.least && bps <= BITRATES.most))
      throw new OTError('OT_INVALID_PARAMETER', `A video bitrate is from ${BITRATES.least} to ${BITRATES.most} bit/s.`);
    await this.limit(bps, 'custom');
  }

  getPreset(): BitratePreset | undefined {
    return this.preset;
  }

  async setPreset(value: unknown): Promise<void> {
    const preset = typeof value === 'string' ? value.toLowerCase() : '';
    if (preset !== 'default' && !(preset in SHARES))
      throw new OTError('OT_INVALID_PARAMETER', 'A preset is default, bw_saver or extra_bw_saver.');
    const { width = 640, height = 480 } = this.subject.raw()?.getSettings() ?? {};
    const share = SHARES[preset as keyof typeof SHARES] as number | undefined;
    const bps = share === undefined ? undefined : Math.round(width * height * 30 * BITS_PER_PIXEL * share);
    await this.limit(bps, preset as BitratePreset);
  }

  getScalability(): string | undefined {
    return this.scalability;
  }

  setScalability(mode: unknown): void {
    if (typeof mode !== 'string' || !SCALABILITY.test(mode)) {
      logger.warn(`${String(mode)} is no scalability mode; it is ignored.`);
      return;
    }
    this.scalability = mode;
    this.subject
      .lines()
      ?.layer(mode)
      .catch((error: unknown) => {
        logger.warn(`The browser does not encode as ${mode}.`, error);
      });
  }

  /** Captures at another size; the browser takes the nearest that the camera has. */
  async setResolution(size: unknown): Promise<void> {
    const { width, height } = (typeof size === 'object' && size !== null ? size : {}) as Record<string, unknown>;
    if (!isExtent(width) || !isExtent(height))
      throw new OTError('OT_INVALID_PARAMETER', 'A resolution has a width and a height above 0.');
    await this.constrain({ width: { ideal: width }, height: { ideal: height } });
  }

  async setFrameRate(rate: unknown): Promise<void> {
    if (!isExtent(rate)) throw new OTError('OT_INVALID_PARAMETER', 'A frame rate is a number above 0.');
    await this.constrain({ frameRate: { ideal: rate } });
  }

  private async constrain(wished: MediaTrackConstraints): Promise<void> {
    const track = this.subject.raw();
    if (track === null) throw new OTError('OT_NOT_SUPPORTED', 'The publisher has no video.');
    await track.applyConstraints({ ...track.getConstraints(), ...wished }).catch((error: unknown) => {
      throw asOTError(error, 'OT_CONSTRAINTS_NOT_SATISFIED');
    });
  }

  private async limit(bps: number | undefined, preset: BitratePreset): Promise<void> {
    if (!this.subject.isCamera())
      throw new OTError('OT_UNEXPECTED_ERROR_CODE', 'Only the bitrate of a camera can be limited.');
    this.preset = preset;
    this.bitrateBps = bps;
    await this.subject
      .lines()
      ?.limitVideo(bps)
      .catch((error: unknown) => {
        throw asOTError(error, 'OT_UNEXPECTED_ERROR_CODE');
      });
  }
}

function isExtent(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
