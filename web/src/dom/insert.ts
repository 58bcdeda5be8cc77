/** Where a widget goes in the page. */

export type InsertMode = 'replace' | 'after' | 'before' | 'append';

let unnamed = 0;

/** An element that the parser has not reached yet; without an id, the body. */
export class LateTarget {
  #cancelled = false;

  /** `find` looks for the element once the page is parsed; `missing` hears that there is none. */
  constructor(
    readonly id: string | null,
    private readonly find: (id: string) => HTMLElement | undefined,
    private readonly missing: () => void,
  ) {}

  /** Puts `root` into the page as soon as that is parsed. */
  await(root: HTMLElement, mode: InsertMode): void {
    const arrive = (): void => {
      if (this.#cancelled) return;
      const target = this.id === null ? null : this.find(this.id);
      if (target === undefined) this.missing();
      else if (target === null || mode !== 'replace') place(root, target, mode);
      else takePlace(root, target);
    };
    document.addEventListener('DOMContentLoaded', arrive, { once: true });
  }

  /** The widget is gone before it ever was in the page. */
  cancel(): void {
    this.#cancelled = true;
  }
}

/**
 * The root of a new widget, in the document: the emptied target itself under `replace`, else a new `div` beside or inside
 * it; without a target a new `div` at the end of the body. A root without an id gets `newId`.
 */
export function insertRoot(
  target: HTMLElement | LateTarget | null,
  mode: InsertMode,
  newId: () => string = newElementId,
): HTMLElement {
  if (target instanceof LateTarget) {
    const root = document.createElement('div');
    root.id = (mode === 'replace' ? target.id : null) ?? newId();
    target.await(root, mode);
    return root;
  }
  const root = target !== null && mode === 'replace' ? target : document.createElement('div');
  if (root === target) root.replaceChildren();
  else place(root, target, mode);
  // An id that another element had first would find that one.
  if (root.id === '' || (root.isConnected && document.getElementById(root.id) !== root)) root.id = newId();
  return root;
}

/** An id that no element of the page has. */
export function newElementId(): string {
  if (typeof crypto.randomUUID === 'function') return `OT_${crypto.randomUUID()}`;
  unnamed += 1; // pages without HTTPS have no randomUUID
  return `OT_${Date.now().toString(36)}-${unnamed}`;
}

function place(root: HTMLElement, target: HTMLElement | null, mode: InsertMode): void {
  if (target === null || mode === 'replace') document.body.append(root);
  else if (mode === 'append') target.append(root);
  else if (mode === 'before') target.before(root);
  else target.after(root);
}

/** Stands where the target stood, with its classes and whatever else the root does not say itself. */
function takePlace(root: HTMLElement, target: HTMLElement): void {
  root.classList.add(...target.classList);
  for (const { name, value } of [...target.attributes]) if (!root.hasAttribute(name)) root.setAttribute(name, value);
  target.replaceWith(root);
}
