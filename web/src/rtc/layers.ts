/** The sizes in which one picture is sent at once, so that each subscriber can get one that suits it. Pure. */

export interface Layer {
  readonly rid: string;
  /** How often the picture is larger than this layer, in each direction. */
  readonly scaleResolutionDownBy: number;
  /** Bits per second. */
  readonly maxBitrate: number;
}

/** Which layers a picture gets whose shorter side has at least so many pixels; each is half as wide as the next. */
const LAYERS: readonly (readonly [number, readonly string[]])[] = [
  [720, ['q', 'h', 'f']],
  [360, ['h', 'f']],
];
/** At 30 frames a second: 1280x720 gets 2.5 Mbit/s, 320x180 gets 160 kbit/s. Our own choice. */
const BITS_PER_PIXEL = 0.09;
const MOST_BPS = 4_000_000;
/** Codecs that make layers inside one stream. */
const LAYERED_CODECS = ['vp9', 'av1'];

/** Dependent on key frames: a subscriber gets its spatial layer alone, and no layers below that it does not show. */
const MODES: readonly (readonly [number, string])[] = [
  [720, 'L3T3_KEY'],
  [360, 'L2T3_KEY'],
];

/**
 * How a picture is sent in layers inside one stream, where its codec has such; undefined where it has not. A shared screen
 * keeps its size, for text that is scaled down cannot be read.
 */
export function scalabilityOf(
  { width, height }: { readonly width?: number | undefined; readonly height?: number | undefined },
  codecs: readonly string[] = [],
  isScreen = false,
): string | undefined {
  if (!LAYERED_CODECS.includes(codecs[0] ?? '')) return undefined;
  const shorter = isScreen ? 0 : Math.min(width ?? 0, height ?? 0);
  return MODES.find(([least]) => shorter >= least)?.[1] ?? 'L1T3';
}

/** Spatial and temporal layers, and how the spatial ones depend on each other (WebRTC SVC section 6, the modes of ratio 2). */
const MODE = /^L([1-3])(T[1-3])(_KEY)?$/;

/**
 * What is left of a scalability mode without some spatial layers, named `S1` and `S2` from the smallest on: those above the
 * least of them go as well. The smaller picture is the whole one now, `scaleResolutionDownBy` as small.
 */
export function withoutLayers(
  mode: string,
  paused: readonly string[],
): { readonly scalabilityMode: string; readonly scaleResolutionDownBy: number } {
  const [, spatial, temporal = '', key = ''] = MODE.exec(mode) ?? [];
  const all = Number(spatial ?? 1);
  const left = [1, 2].find((layer) => layer < all && paused.includes(`S${layer}`)) ?? all;
  if (left === all) return { scalabilityMode: mode, scaleResolutionDownBy: 1 };
  const scalabilityMode = left === 1 ? `L1${temporal}` : `L${left}${temporal}${key}`;
  return { scalabilityMode, scaleResolutionDownBy: 2 ** (all - left) };
}

/** The layers of a picture, the smallest first; none where one encoding does. */
export function layersOf(
  { width, height }: { readonly width?: number | undefined; readonly height?: number | undefined },
  codecs: readonly string[] = [],
): readonly Layer[] {
  if (width === undefined || height === undefined || LAYERED_CODECS.includes(codecs[0] ?? '')) return [];
  const [, rids] = LAYERS.find(([least]) => Math.min(width, height) >= least) ?? [0, []];
  return rids.map((rid, place) => layerOf(rid, width * height, rids.length - 1 - place));
}

/** A layer of so many halvings. */
function layerOf(rid: string, pixels: number, halvings: number): Layer {
  const scaleResolutionDownBy = 2 ** halvings;
  const maxBitrate = Math.min(MOST_BPS, Math.round((pixels / scaleResolutionDownBy ** 2) * 30 * BITS_PER_PIXEL));
  return { rid, scaleResolutionDownBy, maxBitrate };
}

/**
 * The layers of a picture that has another size now. Their number and names are for good, but a smaller picture is sent in
 * the lower `count` of them only, the uppermost of which is the whole of it: browsers leave the others out themselves, and
 * would send nothing larger than a half of it.
 */
export function refitted(
  layers: readonly Layer[],
  { width, height }: { readonly width: number; readonly height: number },
): { readonly layers: readonly Layer[]; readonly count: number } {
  const count = Math.min(layers.length, Math.max(1, layersOf({ width, height }).length));
  const halvings = (place: number): number => Math.max(0, count - 1 - place);
  return { layers: layers.map(({ rid }, place) => layerOf(rid, width * height, halvings(place))), count };
}

/**
 * The names of the layers that are sent, of the lower `count`, where those in `paused` need not be. The uppermost stands for
 * those above it as well: who wants one of them gets the whole of the picture.
 */
export function needed(layers: readonly Layer[], count: number, paused: readonly string[]): readonly string[] {
  const isWanted = ({ rid }: Layer): boolean => !paused.includes(rid);
  const sent = layers.slice(0, count).filter((layer, place) => place === 0 || isWanted(layer));
  const uppermost = layers[count - 1];
  const standsIn = uppermost !== undefined && !sent.includes(uppermost) && layers.slice(count).some(isWanted);
  return [...sent, ...(standsIn ? [uppermost] : [])].map(({ rid }) => rid);
}

/** The bitrates of the layers if all of them together may take `bps`; undefined leaves them as they are. */
export function limited(layers: readonly Layer[], bps: number | undefined): readonly number[] {
  const all = layers.reduce((sum, { maxBitrate }) => sum + maxBitrate, 0);
  const share = bps === undefined ? 1 : Math.min(1, bps / all);
  return layers.map(({ maxBitrate }) => Math.round(maxBitrate * share));
}

/** Whether a session is routed: its id begins with a digit that says so (1 relayed, 2 routed). */
export function isRouted(sessionId: string): boolean {
  return !sessionId.startsWith('1_');
}
