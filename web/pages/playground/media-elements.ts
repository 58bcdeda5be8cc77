// The elements that the client fills with video. They live outside the rendered views, so that a view may be drawn again
// without touching a playing video.

export class MediaElements {
  readonly #elements = new Map<string, HTMLElement>();

  /** The element of that key; made at the first call. */
  of(key: string): HTMLElement {
    const known = this.#elements.get(key);
    if (known) return known;
    const element = document.createElement('div');
    element.className = 'tile-media';
    this.#elements.set(key, element);
    return element;
  }

  forget(key: string): void {
    this.#elements.delete(key);
  }
}
