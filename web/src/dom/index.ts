/** What publishers and subscribers look like in the page: insertion, elements, style. Knows no session. */
export { insertRoot, LateTarget, newElementId, type InsertMode } from './insert.ts';
export { Widget, type WidgetOptions } from './widget.ts';
export { DISPLAY_KEYS, parseStyle, type WidgetStyle } from './widget-style.ts';
