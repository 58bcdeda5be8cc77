// The page's icons, drawn on a 24 by 24 grid with a pen of 1.8; decoration only, the words stand beside them or in labels.
import { html, svg, type SVGTemplateResult, type TemplateResult } from 'lit';

const SHAPES = {
  microphone: svg`<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3"/>`,
  microphoneOff: svg`<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3M4 4l16 16"/>`,
  camera: svg`<rect x="3" y="6.5" width="12.5" height="11" rx="2.5"/><path d="M15.5 11l5.5-3v8l-5.5-3z"/>`,
  cameraOff: svg`<rect x="3" y="6.5" width="12.5" height="11" rx="2.5"/><path d="M15.5 11l5.5-3v8l-5.5-3zM3.5 3.5l17 17"/>`,
  leave: svg`<path d="M10 4.5H7A2.5 2.5 0 0 0 4.5 7v10A2.5 2.5 0 0 0 7 19.5h3M15 8l4 4-4 4M19 12h-9"/>`,
  join: svg`<path d="M14 4.5h3A2.5 2.5 0 0 1 19.5 7v10a2.5 2.5 0 0 1-2.5 2.5h-3M10 8l4 4-4 4M14 12H4.5"/>`,
  link: svg`<path d="M10 14a4 4 0 0 0 6 .3l2.7-2.7a4 4 0 0 0-5.7-5.7L11.8 7M14 10a4 4 0 0 0-6-.3l-2.7 2.7a4 4 0 0 0 5.7 5.7l1.2-1.1"/>`,
  panel: svg`<rect x="3.5" y="5" width="17" height="14" rx="2.5"/><path d="M14.5 5v14"/>`,
  chat: svg`<path d="M5.5 5h13A2.5 2.5 0 0 1 21 7.5v6a2.5 2.5 0 0 1-2.5 2.5H11l-4.5 4v-4h-1A2.5 2.5 0 0 1 3 13.5v-6A2.5 2.5 0 0 1 5.5 5z"/>`,
  close: svg`<path d="M6 6l12 12M18 6L6 18"/>`,
  send: svg`<path d="M4 12l16-7.5-5 15.5-3.5-6zM11.5 14L20 4.5"/>`,
  copy: svg`<rect x="8.5" y="8.5" width="11.5" height="11.5" rx="2.5"/><path d="M15.5 8.5v-2A2.5 2.5 0 0 0 13 4H6.5A2.5 2.5 0 0 0 4 6.5V13a2.5 2.5 0 0 0 2.5 2.5h2"/>`,
  watch: svg`<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z"/><circle cx="12" cy="12" r="2.8"/>`,
  newTab: svg`<path d="M13.5 4.5h6v6M19.5 4.5L11 13M17.5 14v3a2.5 2.5 0 0 1-2.5 2.5H7A2.5 2.5 0 0 1 4.5 17V9A2.5 2.5 0 0 1 7 6.5h3"/>`,
  sound: svg`<path d="M4 9.5v5h3.5l5 4v-13l-5 4zM16 9a4.5 4.5 0 0 1 0 6M18.5 6.5a8 8 0 0 1 0 11"/>`,
  warning: svg`<path d="M12 4L2.8 19.5h18.4zM12 10v4.5M12 17.2v.1"/>`,
  removed: svg`<circle cx="10" cy="8" r="3.8"/><path d="M3 20c.5-4 3.2-6 7-6 1.3 0 2.5.2 3.5.7M16 16.5l5 5M21 16.5l-5 5"/>`,
} satisfies Record<string, SVGTemplateResult>;

export type IconName = keyof typeof SHAPES;

export function icon(name: IconName): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${SHAPES[name]}</svg>`;
}

/** The sign of Tertulia: three people at a round table. */
export function sign(): TemplateResult {
  return html`<svg class="sign" viewBox="0 0 32 32" aria-hidden="true">
    <circle cx="16" cy="17" r="5.4" fill="none" stroke="currentColor" stroke-width="2.6" />
    <circle cx="16" cy="5.6" r="3" fill="currentColor" />
    <circle cx="6.1" cy="22.7" r="3" fill="currentColor" />
    <circle cx="25.9" cy="22.7" r="3" fill="currentColor" />
  </svg>`;
}
