/** Where a widget goes in the page. */

export type InsertMode = 'replace' | 'after' | 'before' | 'append';

let unnamed = 0;

/** The element that a caller means; null for none, undefined for an id that no element has. */
export function findTarget(target: string | Element | null): HTMLElement | null | undefined {
  if (target === null) return null;
  if (typeof target !== 'string') return target as HTMLElement;
  return document.getElementById(target) ?? undefined;
}

/**
 * The root of a new widget, in the document: the emptied target itself under `replace`, else a new `div` beside or inside
 * it; without a target a new `div` at the end of the body. A root without an id gets one that begins with `OT_`.
 */
export function insertRoot(target: HTMLElement | null, mode: InsertMode): HTMLElement {
  const root = target !== null && mode === 'replace' ? target : document.createElement('div');
  if (root === target) root.replaceChildren();
  else if (target === null || mode === 'replace') document.body.append(root);
  else if (mode === 'append') target.append(root);
  else if (mode === 'before') target.before(root);
  else target.after(root);
  if (root.id === '') root.id = newElementId();
  return root;
}

/** An id that no element of the page has. */
export function newElementId(): string {
  if (typeof crypto.randomUUID === 'function') return `OT_${crypto.randomUUID()}`;
  unnamed += 1; // pages without HTTPS have no randomUUID
  return `OT_${Date.now().toString(36)}-${unnamed}`;
}
