/** When the page is ready: its document has been parsed, so that elements can be found and added. */

/** Runs `work` as soon as the document is parsed: at once, in this call, if it is. */
export function whenParsed(work: () => void): void {
  if (document.readyState !== 'loading') work();
  else document.addEventListener('DOMContentLoaded', work, { once: true });
}
