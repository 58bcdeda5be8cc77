/** Filters of the browser's own: background blur and voice isolation, where browser and device offer them. */
import { OTError } from '../errors.ts';

export interface Filter {
  readonly type: string;
  readonly [parameter: string]: unknown;
}

type Kind = 'audio' | 'video';

/** Filter type -> the constraint by which a track does it; null where no browser can. */
const CONSTRAINTS: Readonly<Record<Kind, Readonly<Record<string, string | null>>>> = {
  audio: { advancedNoiseSuppression: 'voiceIsolation' },
  video: { backgroundBlur: 'backgroundBlur', backgroundReplacement: null },
};

/** Whether a processor can read and write the frames of tracks of these kinds. */
export function canProcess(kind: Kind): boolean {
  const global = globalThis as Record<string, unknown>;
  const readable = typeof global['MediaStreamTrackProcessor'] === 'function';
  const writable =
    typeof global['MediaStreamTrackGenerator'] === 'function' || typeof global['VideoTrackGenerator'] === 'function';
  return kind === 'audio' ? typeof global['AudioWorkletNode'] === 'function' : readable && writable;
}

/** `value` as a filter for tracks of that kind. Throws OT_INVALID_PARAMETER. */
export function checkFilter(kind: Kind, value: unknown): Filter {
  const type = typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : undefined;
  if (typeof type !== 'string' || !(type in CONSTRAINTS[kind]))
    throw new OTError('OT_INVALID_PARAMETER', `That is no ${kind} filter.`);
  const { blurStrength, backgroundImgUrl } = value as Record<string, unknown>;
  if (type === 'backgroundBlur' && blurStrength !== undefined && blurStrength !== 'low' && blurStrength !== 'high')
    throw new OTError('OT_INVALID_PARAMETER', 'blurStrength is low or high.');
  if (type === 'backgroundReplacement' && typeof backgroundImgUrl !== 'string')
    throw new OTError('OT_INVALID_PARAMETER', 'backgroundImgUrl must be the address of a picture.');
  return { ...(value as Filter) };
}

/** Takes `before` off the track and puts `filter` on. Rejects with OT_NOT_SUPPORTED; the track is then unchanged. */
export async function setFilter(track: MediaStreamTrack, before: Filter | null, filter: Filter | null): Promise<void> {
  const kind = track.kind as Kind;
  const wanted = filter === null ? null : constraintOf(track, kind, filter);
  const former = before === null ? null : (CONSTRAINTS[kind][before.type] ?? null);
  if (wanted === null && former === null) return;
  const constraints = { ...track.getConstraints() } as Record<string, unknown>;
  if (former !== null) constraints[former] = false;
  if (wanted !== null) constraints[wanted] = true;
  await track.applyConstraints(constraints as MediaTrackConstraints);
}

function constraintOf(track: MediaStreamTrack, kind: Kind, { type }: Filter): string {
  const name = CONSTRAINTS[kind][type] ?? null;
  const able = 'getCapabilities' in track ? (track.getCapabilities() as Record<string, unknown>) : {};
  const values = name === null ? undefined : able[name];
  if (name === null || !(values === true || (Array.isArray(values) && values.includes(true))))
    throw new OTError('OT_NOT_SUPPORTED', `This browser or device cannot do ${type}.`);
  return name;
}
