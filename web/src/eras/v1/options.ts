/** Properties objects of the first era, as those of the second; what only the first knows is set aside. */
import { logger } from '../../logger.ts';
import { flag, volume, type Properties } from '../../options.ts';
import type { DeviceWishes } from './device-publisher.ts';

const TEXT_LIMIT = 1000;
const DEFAULT_GAIN = 50;
const LARGEST_ENCODED = 640;
const RESOLUTIONS = [
  { width: 320, height: 240 },
  { width: 640, height: 480 },
] as const;

export interface PublisherWishes {
  /** For the Publisher of the second era. */
  readonly properties: Properties;
  readonly devices: DeviceWishes;
  /** What `publisher.properties` shows: every property with its effective value. */
  readonly effective: Properties;
}

/** Throws for a name or data of more than 1,000 characters. */
export function publisherWishes(given: Properties): PublisherWishes {
  for (const key of ['name', 'data'])
    if (String(given[key] ?? '').length > TEXT_LIMIT)
      throw new Error(`${key} is longer than ${TEXT_LIMIT} characters.`);
  const devices: DeviceWishes = {
    cameraName: text(given['cameraName']),
    microphoneName: text(given['microphoneName']),
    microphoneGain: volume(given['microphoneGain']) ?? DEFAULT_GAIN,
  };
  const properties: Properties = {
    ...given,
    ...size(given),
    mirror: flag(given['mirror'], true),
    publishAudio: flag(given['publishAudio'] ?? given['microphoneEnabled'], true),
    publishVideo: flag(given['publishVideo'], true),
    ...resolution(given),
  };
  const defaults = { name: '', wmode: 'transparent', reportMicLevels: false, style: {} };
  return { properties, devices, effective: { ...defaults, ...properties, ...devices } };
}

export function subscriberWishes(given: Properties): Properties {
  return { ...given, ...size(given) };
}

/** The size of the view in pixels; what is missing or no number is left to the default. */
function size(given: Properties): Properties {
  const pixels = (key: string): number | undefined => {
    const value = Number.parseFloat(String(given[key]));
    return Number.isNaN(value) ? undefined : value;
  };
  return { width: pixels('width'), height: pixels('height') };
}

/** The supported resolution that is nearest to `encodedWidth` and `encodedHeight`, 1 to 640 each. */
function resolution(given: Properties): Properties {
  const distances = (['width', 'height'] as const).map((side) => {
    const key = side === 'width' ? 'encodedWidth' : 'encodedHeight';
    if (given[key] === undefined || given[key] === null) return () => 0;
    const wished = Number(given[key]);
    if (wished >= 1 && wished <= LARGEST_ENCODED)
      return (candidate: (typeof RESOLUTIONS)[number]) => Math.abs(candidate[side] - wished);
    logger.warn(`${key} cannot be ${String(given[key])}; it is ignored.`);
    return () => 0;
  });
  if (given['encodedWidth'] === undefined && given['encodedHeight'] === undefined) return {};
  const far = (candidate: (typeof RESOLUTIONS)[number]): number =>
    distances.reduce((sum, distance) => sum + distance(candidate), 0);
  const [first, ...others] = RESOLUTIONS;
  const { width, height } = others.reduce(
    (best, candidate) => (far(candidate) < far(best) ? candidate : best),
    first as (typeof RESOLUTIONS)[number],
  );
  return { resolution: `${width}x${height}` };
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null || value === '' ? undefined : String(value);
}
