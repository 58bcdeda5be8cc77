/** The StateManager: texts under keys that all clients of a session read and set. */
import {
  Emitter,
  Event,
  fire,
  queueEvent,
  queueJob,
  type Handler,
  type Page,
  type SessionModel,
} from '../../api/index.ts';
import { asOTError } from '../../errors.ts';
import { reportUncaught } from '../../logger.ts';
import type { StateValues } from '../../wire/index.ts';
import { misuse } from './exceptions.ts';

const KEYS_AT_ONCE = 20;
const KEY_CHARACTERS = 100;
const VALUE_CHARACTERS = 1000;
/** What the server refuses is told under its own code if the era knows it, and else as unknown. */
const KNOWN_CODES = [401, 402, 403, 405];
const UNKNOWN = 500;

/** `changedValues`: what is different, or everything for a listener that was just added. Null for a key that is gone. */
export class StateChangedEvent extends Event {
  constructor(
    type: string,
    readonly changedValues: StateValues,
  ) {
    super(type);
  }
}

/** Nothing of `failedValues`, which is what `set` was given, has been set. */
export class ChangeFailedEvent extends Event {
  constructor(
    readonly reasonCode: number,
    readonly reason: string,
    readonly failedValues: Readonly<Record<string, unknown>>,
  ) {
    super('changeFailed');
  }
}

export class StateManager extends Emitter {
  readonly #model: SessionModel;

  constructor(page: Page, model: SessionModel) {
    super(page.era);
    this.#model = model;
    model.stateWatcher = (values) => {
      this.#changed(values);
    };
  }

  /** `(key, value)` or an object of several; null removes a key. All of it is set, or `changeFailed` says why not. */
  set(...args: readonly unknown[]): void {
    const values = argumentsOf(args);
    if (Object.keys(values).length === 0) return;
    const fault = faultOf(values);
    if (fault !== null) {
      this.#failed(...fault, values);
      return;
    }
    this.#model.engine.request({ type: 'setState', values: values as StateValues }).catch((thrown: unknown) => {
      const { code, message } = asOTError(thrown, 'OT_UNEXPECTED_SERVER_RESPONSE');
      this.#failed(KNOWN_CODES.includes(code) ? code : UNKNOWN, message, values);
    });
  }

  /** A listener of changes gets what there is already, soon and alone; addEventListener comes here as well. */
  override on(types: string | Readonly<Record<string, Handler>>, handlerOrContext?: unknown, context?: unknown): this {
    super.on(types, handlerOrContext, context);
    if (typeof types === 'string' && typeof handlerOrContext === 'function')
      for (const type of types.split(/\s+/)) this.#greet(type, handlerOrContext as Handler, context);
    return this;
  }

  #greet(type: string, listener: Handler, context: unknown): void {
    if (type !== 'changed' && !type.startsWith('changed:')) return;
    queueJob(() => {
      const { state } = this.#model;
      const key = type.slice('changed:'.length);
      const value = state.get(key);
      const values = type === 'changed' ? Object.fromEntries(state) : value === undefined ? {} : { [key]: value };
      if (Object.keys(values).length === 0) return;
      const event = new StateChangedEvent(type, values);
      event.target = this;
      try {
        listener.call(context ?? globalThis, event as never);
      } catch (thrown) {
        reportUncaught(thrown);
      }
    });
  }

  #changed(values: StateValues): void {
    fire(this, new StateChangedEvent('changed', values));
    for (const [key, value] of Object.entries(values))
      fire(this, new StateChangedEvent(`changed:${key}`, { [key]: value }));
  }

  #failed(code: number, reason: string, values: Readonly<Record<string, unknown>>): void {
    queueEvent(this, new ChangeFailedEvent(code, reason, values));
  }
}

/** The pairs that `set` was given, copied. Throws for anything but its two forms. */
function argumentsOf(args: readonly unknown[]): Readonly<Record<string, unknown>> {
  const [first, second] = args;
  const isKey = typeof first === 'string' || typeof first === 'number';
  if (isKey && args.length > 1 && second !== undefined) return { [String(first)]: second };
  if (typeof first === 'object' && first !== null && !Array.isArray(first) && second === undefined)
    return { ...(first as Readonly<Record<string, unknown>>) };
  throw misuse('StateManager', 'set', 'a key with a value, or an object of keys and values, is required');
}

/** What is wrong with the pairs, as code and reason; whether the role may set them, the server says. */
function faultOf(values: Readonly<Record<string, unknown>>): readonly [number, string] | null {
  const pairs = Object.entries(values);
  if (pairs.length > KEYS_AT_ONCE) return [405, `At most ${KEYS_AT_ONCE} keys can be set at once.`];
  for (const [key, value] of pairs) {
    if (key === '' || [...key].length > KEY_CHARACTERS || /\s/.test(key))
      return [402, `A key has 1 to ${KEY_CHARACTERS} characters and no space.`];
    if (value !== null && (typeof value !== 'string' || [...value].length > VALUE_CHARACTERS))
      return [403, `A value is a text of at most ${VALUE_CHARACTERS} characters, or null.`];
  }
  return null;
}
