/** The `style` option of publishers and subscribers. */

export type DisplayMode = 'auto' | 'on' | 'off' | 'mini' | 'mini-auto';

export interface WidgetStyle {
  nameDisplayMode: DisplayMode;
  buttonDisplayMode: DisplayMode;
  audioLevelDisplayMode: DisplayMode;
  archiveStatusDisplayMode: DisplayMode;
  videoDisabledDisplayMode: DisplayMode;
  audioBlockedDisplayMode: DisplayMode;
  /** A URL, a data URL or bare base-64 PNG; null for none. */
  backgroundImageURI: string | null;
}

export const DISPLAY_KEYS = [
  'nameDisplayMode',
  'buttonDisplayMode',
  'audioLevelDisplayMode',
  'archiveStatusDisplayMode',
  'videoDisabledDisplayMode',
  'audioBlockedDisplayMode',
] as const;

const MODES: readonly unknown[] = ['auto', 'on', 'off', 'mini', 'mini-auto'];

export const DEFAULT_STYLE: Readonly<WidgetStyle> = {
  nameDisplayMode: 'auto',
  buttonDisplayMode: 'auto',
  audioLevelDisplayMode: 'auto',
  archiveStatusDisplayMode: 'auto',
  videoDisabledDisplayMode: 'auto',
  audioBlockedDisplayMode: 'auto',
  backgroundImageURI: null,
};

/** The lawful part of `wished`; `complain` hears of each key that is unknown or has a value it may not have. */
export function parseStyle(
  wished: Readonly<Record<string, unknown>>,
  complain: (key: string) => void,
): Partial<WidgetStyle> {
  const style: Partial<WidgetStyle> = {};
  for (const [key, value] of Object.entries(wished)) {
    if (key === 'backgroundImageURI' && (value === null || typeof value === 'string')) style.backgroundImageURI = value;
    else if ((DISPLAY_KEYS as readonly string[]).includes(key) && MODES.includes(value)) {
      style[key as (typeof DISPLAY_KEYS)[number]] = value as DisplayMode;
    } else complain(key);
  }
  return style;
}

/** `uri` as a CSS url; bare base-64 is taken for a PNG. */
export function backgroundImage(uri: string | null): string {
  if (uri === null || uri === '') return '';
  const address = /^(https?:|data:|blob:|\/|\.)/i.test(uri) ? uri : `data:image/png;base64,${uri}`;
  return `url(${JSON.stringify(address)})`;
}
