/** Event dispatch as both eras know it: on, once, off, and the older addEventListener and removeEventListener. */
import { logger, reportUncaught } from '../logger.ts';
import { Event } from './events.ts';
import { afterwards, queueJob, queueStep } from './tasks.ts';

/** Handlers of applications declare the event that they expect. */
export type Handler = (event: never) => void;
export type HandlerMap = Readonly<Record<string, Handler | undefined>>;

/** How an era's dispatchers behave. */
export interface ListenerManners {
  /** addEventListener throws on a missing type or listener, and registers the same listener once. */
  readonly strictListeners: boolean;
  /** A listener that is registered again takes its new place behind the others, instead of keeping the old one. */
  readonly movesRepeatedListeners: boolean;
  /** A listener that another one removes during a dispatch is still called. */
  readonly callsRemovedListeners: boolean;
  /** What `this` is in a listener without a context. */
  readonly listenerThis: unknown;
}

interface Listener {
  readonly type: string;
  readonly handler: Handler;
  readonly context: unknown;
  /** Listeners of one `once` call go together. */
  readonly once: object | null;
}

export class Emitter {
  #listeners: readonly Listener[] = [];
  readonly #manners: ListenerManners;

  constructor(manners: ListenerManners) {
    this.#manners = manners;
  }

  /** Adds a handler for one event, for several separated by spaces, or for each key of a map. */
  on(types: string | HandlerMap, handlerOrContext?: unknown, context?: unknown): this {
    this.#add(types, handlerOrContext, context, null);
    return this;
  }

  /** As `on`; the handler is taken off before its first call, for every event that the call named. */
  once(types: string | HandlerMap, handlerOrContext?: unknown, context?: unknown): this {
    this.#add(types, handlerOrContext, context, {});
    return this;
  }

  /** Takes handlers off: all, those of a type, one handler, one handler with its context, or each of a map. */
  off(types?: string | HandlerMap, handlerOrContext?: unknown, context?: unknown): this {
    if (types === undefined) {
      this.#listeners = [];
      this.listenersChanged();
      return this;
    }
    for (const wanted of entriesOf(types, handlerOrContext, context)) {
      this.#listeners = this.#listeners.filter(
        ({ type, handler, context: own }) =>
          type !== wanted.type ||
          (wanted.handler !== undefined && handler !== wanted.handler) ||
          (wanted.context !== undefined && own !== wanted.context),
      );
    }
    this.listenersChanged();
    return this;
  }

  /** The older `on`, for one type. Registers the same listener once in the first era. */
  addEventListener(type: string, listener: Handler, context?: unknown): void {
    if (this.#manners.strictListeners) {
      requireBoth('addEventListener', type, listener);
      const repeated = this.#listeners.some((known) => known.type === type && known.handler === listener);
      if (repeated && !this.#manners.movesRepeatedListeners) return;
      if (repeated) this.off(type, listener);
    }
    this.on(type, listener, context);
  }

  /** The older `off`, for one type. */
  removeEventListener(type: string, listener: Handler, context?: unknown): void {
    if (this.#manners.strictListeners) requireBoth('removeEventListener', type, listener);
    if (typeof listener === 'function') this.off(type, listener, context);
  }

  /** Dispatches an event of the application's own, in a later task. */
  dispatchEvent(event: Event): this {
    if (typeof (event as Partial<Event> | undefined)?.type !== 'string')
      throw new Error('dispatchEvent: an event with a type is required.');
    queueJob(() => {
      fire(this, event);
    });
    return this;
  }

  /** As `dispatchEvent`, with the type apart; kept for tests of older applications. */
  trigger(type: string, event?: object): this {
    return this.dispatchEvent(Object.assign(new Event(type), event));
  }

  /** Calls each handler for `heardAs` in a task of its own, in order, and then `end` in the last one's. See `fire`. */
  static tell(emitter: Emitter, event: unknown, heardAs: string, end: () => void = () => undefined): void {
    const heard = emitter.#listeners.filter(({ type }) => type === heardAs);
    const last = heard.at(-1);
    if (last === undefined) end();
    for (const listener of heard) {
      queueStep(() => {
        emitter.#call(listener, event);
        if (listener === last) end();
      });
    }
  }

  #call(listener: Listener, event: unknown): void {
    const isGone = !this.#listeners.includes(listener);
    if (isGone && (listener.once !== null || !this.#manners.callsRemovedListeners)) return;
    if (listener.once !== null) this.#listeners = this.#listeners.filter(({ once }) => once !== listener.once);
    Event.open(event);
    try {
      listener.handler.call(listener.context ?? this.#manners.listenerThis, event as never);
    } catch (thrown) {
      reportUncaught(thrown);
    }
    Event.close(event);
  }

  #add(types: string | HandlerMap, handlerOrContext: unknown, context: unknown, once: object | null): void {
    const added: Listener[] = [];
    for (const { type, handler, context: own } of entriesOf(types, handlerOrContext, context)) {
      if (typeof handler === 'function') added.push({ type, handler, context: own, once });
      else logger.warn(`The handler for ${type} is not a function.`);
    }
    this.#listeners = [...this.#listeners, ...added];
    this.listenersChanged();
  }

  /** Whether anybody listens to one of these types. The library's own. */
  _hears(...types: readonly string[]): boolean {
    return this.#listeners.some(({ type }) => types.includes(type));
  }

  /** Called whenever listeners were added or taken off, for what is only done while somebody listens. */
  protected listenersChanged(): void {
    // most emitters do nothing
  }
}

/**
 * Dispatches `event` on `emitter`: every handler in a task of its own, then the default behaviour unless one of them
 * prevented it; without handlers, the default at once. A handler that throws stops neither. What a job dispatches comes one
 * after the other; what else it does must wait by `afterwards`. Only jobs call this, never the API's own methods. `heardAs`
 * is what the handlers were registered for, when that is not the event's type.
 */
export function fire(emitter: Emitter, event: Event, defaultBehaviour?: () => void, heardAs = event.type): void {
  event.target ??= emitter;
  afterwards(() => {
    Emitter.tell(emitter, event, heardAs, () => {
      const { isDefaultPrevented } = event as Partial<Event>; // objects of applications may lack it
      if (isDefaultPrevented?.call(event) !== true) defaultBehaviour?.();
    });
  });
}

/** Dispatches `event` in a later task. */
export function queueEvent(emitter: Emitter, event: Event, defaultBehaviour?: () => void): void {
  queueJob(() => {
    fire(emitter, event, defaultBehaviour);
  });
}

function* entriesOf(
  types: string | HandlerMap,
  handlerOrContext: unknown,
  context: unknown,
): Generator<{ type: string; handler: Handler | undefined; context: unknown }> {
  if (typeof types === 'string') {
    for (const type of types.split(/\s+/).filter((part) => part !== ''))
      yield { type, handler: handlerOrContext as Handler | undefined, context };
  } else if (typeof types === 'object' && (types as object | null) !== null) {
    for (const [type, handler] of Object.entries(types)) yield { type, handler, context: handlerOrContext };
  }
}

function requireBoth(method: string, type: unknown, listener: unknown): void {
  if (typeof type !== 'string' || type === '') throw new Error(`${method}: the type of the event is missing.`);
  if (typeof listener !== 'function') throw new Error(`${method}: the listener is missing or not a function.`);
}
