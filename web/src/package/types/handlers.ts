/** Errors, completion handlers, and the emitter that dispatches events. */
import type { Event } from './events.ts';

/** An error of the API. Branch on `name`, which begins with `OT_`; `code` is kept for older applications. */
export interface OTError extends Error {
  readonly code: number;
  /** On errors of `signal()`: what was passed in. */
  signal?: unknown;
  /** On failures of capture: the browser's own name and words. */
  originalName?: string;
  originalMessage?: string;
}

/** Called once, later, with an error or with nothing. */
export type CompletionHandler = (error?: OTError) => void;

/** An event whose name the compiler does not know. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what such an event carries is the application's to know
export type UnknownEvent = Event<string, any> & { readonly [member: string]: any };

/** Handlers by the name of their event. */
export type EventHandlers<Events> = { readonly [Name in keyof Events]?: (event: Events[Name]) => void };

/** What dispatches events. `Events` has a member for each: the name, and what a handler gets. */
export interface OTEventEmitter<Events> {
  /** Adds a handler. `this` inside it is `context`, if one is given. */
  on<Name extends keyof Events & string>(type: Name, handler: (event: Events[Name]) => void, context?: unknown): this;
  /** Adds a handler for several events, separated by spaces, or for one that has no type here. */
  on(types: string, handler: (event: UnknownEvent) => void, context?: unknown): this;
  /** Adds a handler for each name. */
  on(handlers: EventHandlers<Events>, context?: unknown): this;

  /** As `on`; the handler is taken off before its first call. */
  once<Name extends keyof Events & string>(type: Name, handler: (event: Events[Name]) => void, context?: unknown): this;
  once(types: string, handler: (event: UnknownEvent) => void, context?: unknown): this;
  once(handlers: EventHandlers<Events>, context?: unknown): this;

  /** Takes handlers off: all of them, those of an event, the given one, or the given one with that context. */
  off<Name extends keyof Events & string>(
    type?: Name,
    handler?: (event: Events[Name]) => void,
    context?: unknown,
  ): this;
  off(types: string, handler?: (event: UnknownEvent) => void, context?: unknown): this;
  off(handlers: EventHandlers<Events>, context?: unknown): this;

  /** Dispatches an event of the application's own, in a later task. Undocumented, and used by tests of applications. */
  trigger(type: string, event?: object): this;
  /** As `trigger`, with an object that has a `type`. */
  dispatchEvent(event: { readonly type: string }): this;

  /** @deprecated Use `on`. */
  addEventListener<Name extends keyof Events & string>(
    type: Name,
    handler: (event: Events[Name]) => void,
    context?: unknown,
  ): void;
  /** @deprecated Use `off`. */
  removeEventListener<Name extends keyof Events & string>(
    type: Name,
    handler: (event: Events[Name]) => void,
    context?: unknown,
  ): void;
}
