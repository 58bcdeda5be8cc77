// Lists that grow at their end stay at their end, unless the reader has scrolled away to read.

/** How far from the end still counts as being there, in CSS pixels: a line of text. */
const NEAR_PX = 24;

/** Runs `draw`; every `[data-keep-end]` under `root` that was at its end, or is new, is at its end afterwards. */
export function followEnd(root: HTMLElement, draw: () => void): void {
  const away = new Set([...root.querySelectorAll('[data-keep-end]')].filter((list) => !isAtEnd(list)));
  draw();
  for (const list of root.querySelectorAll('[data-keep-end]')) if (!away.has(list)) list.scrollTop = list.scrollHeight;
}

function isAtEnd(list: Element): boolean {
  return list.scrollHeight - list.scrollTop - list.clientHeight <= NEAR_PX;
}
