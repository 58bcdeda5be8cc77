/** The collections that applications may look through: sessions, publishers, subscribers, streams, connections. */

/** Members that an entry must have, or a test. */
export type Criteria<Entry> = object | ((entry: Entry) => boolean);

export class Collection<Entry extends object> {
  readonly #entries: () => Iterable<Entry>;

  /** A live view of what `entries` gives. */
  constructor(entries: () => Iterable<Entry>) {
    this.#entries = entries;
  }

  length(): number {
    return [...this.#entries()].length;
  }

  /** The first entry that agrees with all criteria; the first of all without. */
  find(criteria: Criteria<Entry> = () => true): Entry | undefined {
    return this.where(criteria)[0];
  }

  /** Every entry that agrees with all criteria. */
  where(criteria: Criteria<Entry> = () => true): Entry[] {
    const agrees =
      typeof criteria === 'function'
        ? (criteria as (entry: Entry) => boolean)
        : (entry: Entry) => Object.entries(criteria).every(([key, value]) => entry[key as keyof Entry] === value);
    return [...this.#entries()].filter(agrees);
  }

  /** The entry with that id. */
  get(id: string): Entry | undefined {
    return this.where((entry) => 'id' in entry && entry.id === id)[0];
  }

  forEach(visit: (entry: Entry, index: number) => void, context?: unknown): void {
    [...this.#entries()].forEach(visit, context);
  }
}
