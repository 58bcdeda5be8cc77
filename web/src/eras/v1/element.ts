/** The elements of the first era: which one a page means, and what new ones are called. */

/**
 * The element with that id that no view has taken. Flash put an element of its own in the place of the page's, so that an
 * id was free again at once: pages add a new element with the same id for each stream.
 */
export function freeElement(id: string): HTMLElement | undefined {
  const first = document.getElementById(id);
  if (first === null || !isTaken(first)) return first ?? undefined;
  return [...document.querySelectorAll<HTMLElement>('[id]')].find((element) => element.id === id && !isTaken(element));
}

/** `prefix` and the next number, so that no element of the page has that id. */
export function numberedId(prefix: string): string {
  let number = 1;
  while (document.getElementById(`${prefix}${number}`) !== null) number += 1;
  return `${prefix}${number}`;
}

function isTaken(element: HTMLElement): boolean {
  return element.classList.contains('OT_root');
}
