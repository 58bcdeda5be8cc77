/**
 * Subscriptions and the slot pairs that carry them, pure.
 *
 * A subscription is asked for, answered with a number, bound to a slot pair and unbound again, any number of times. The
 * client releases a slot only after it shows and plays nothing of the binding any more, so `detach` always precedes
 * `releaseSlot` among the effects. Keys are the client's own and never used twice.
 */
import type { Binding, RequestOf, SenderEstimates, SubscriptionWishes, WireError } from '../wire/index.ts';

export interface Subscription {
  readonly streamId: string;
  /** The server's number; null until the request was answered. */
  readonly id: number | null;
  readonly wishes: SubscriptionWishes;
  /** The wishes that the server was told last. */
  readonly told: SubscriptionWishes;
  readonly binding: Binding | null;
  /** The application unsubscribed before the request was answered. */
  readonly abandoned: boolean;
}

export type SubscriptionsState = ReadonlyMap<number, Subscription>;

export type SubscriptionInput =
  | {
      readonly type: 'subscribe';
      readonly key: number;
      readonly streamId: string;
      readonly wishes: SubscriptionWishes;
    }
  | { readonly type: 'answered'; readonly key: number; readonly id: number }
  | { readonly type: 'refused'; readonly key: number; readonly error: WireError }
  | { readonly type: 'update'; readonly key: number; readonly wishes: SubscriptionWishes }
  | { readonly type: 'unsubscribe'; readonly key: number }
  | { readonly type: 'bound'; readonly binding: Binding }
  | { readonly type: 'unbound'; readonly subscriptionId: number; readonly slot: number; readonly generation: number }
  /** The bindings that the server holds, after a resume. */
  | { readonly type: 'bindings'; readonly bindings: readonly Binding[] }
  | { readonly type: 'video'; readonly subscriptionId: number; readonly enabled: boolean; readonly reason: string }
  | { readonly type: 'videoWarning'; readonly subscriptionId: number; readonly active: boolean }
  | { readonly type: 'caption'; readonly subscriptionId: number; readonly caption: string; readonly isFinal: boolean }
  | ({ readonly type: 'senderStats'; readonly subscriptionId: number } & SenderEstimates)
  /** A new peer connection took the place of the one before, and all slot pairs with it. */
  | { readonly type: 'transportReplaced' }
  | { readonly type: 'disconnected' };

export type SubscriptionEffect =
  | { readonly type: 'ask'; readonly key: number; readonly request: RequestOf<'subscribe'> }
  | {
      readonly type: 'send';
      readonly request: RequestOf<'updateSubscription'> | RequestOf<'unsubscribe'> | RequestOf<'releaseSlot'>;
    }
  | { readonly type: 'attach'; readonly key: number; readonly binding: Binding }
  | { readonly type: 'detach'; readonly key: number }
  /** The binding is void, but its last picture may stay until the next binding. */
  | { readonly type: 'suspend'; readonly key: number }
  | { readonly type: 'refuse'; readonly key: number; readonly error: WireError }
  | { readonly type: 'video'; readonly key: number; readonly enabled: boolean; readonly reason: string }
  | { readonly type: 'videoWarning'; readonly key: number; readonly active: boolean }
  | { readonly type: 'senderStats'; readonly key: number; readonly estimates: SenderEstimates }
  | { readonly type: 'caption'; readonly key: number; readonly caption: string; readonly isFinal: boolean };

export interface SubscriptionStep {
  readonly state: SubscriptionsState;
  readonly effects: readonly SubscriptionEffect[];
}

export const NO_SUBSCRIPTIONS: SubscriptionsState = new Map();

/** The step that `input` makes from `state`; late and unknown inputs change nothing. */
export function reduceSubscriptions(state: SubscriptionsState, input: SubscriptionInput): SubscriptionStep {
  switch (input.type) {
    case 'subscribe': {
      const { key, streamId, wishes } = input;
      const subscription: Subscription = {
        streamId,
        id: null,
        wishes,
        told: wishes,
        binding: null,
        abandoned: false,
      };
      return step(put(state, key, subscription), {
        type: 'ask',
        key,
        request: { type: 'subscribe', streamId, ...wishes },
      });
    }
    case 'answered':
      return answered(state, input.key, input.id);
    case 'refused': {
      const refused = state.get(input.key);
      if (refused === undefined) return step(state);
      const gone = drop(state, input.key);
      return refused.abandoned ? step(gone) : step(gone, { type: 'refuse', key: input.key, error: input.error });
    }
    case 'update':
      return update(state, input.key, input.wishes);
    case 'unsubscribe':
      return unsubscribe(state, input.key);
    case 'bound':
      return bound(state, input.binding);
    case 'unbound':
      return unbound(state, input.subscriptionId, input.slot, input.generation);
    case 'bindings':
      return reconcile(state, input.bindings);
    case 'video': {
      const found = findById(state, input.subscriptionId);
      if (found === null) return step(state);
      return step(state, { type: 'video', key: found[0], enabled: input.enabled, reason: input.reason });
    }
    case 'videoWarning': {
      const found = findById(state, input.subscriptionId);
      return found === null ? step(state) : step(state, { type: 'videoWarning', key: found[0], active: input.active });
    }
    case 'caption': {
      const { subscriptionId, caption, isFinal } = input;
      const found = findById(state, subscriptionId);
      return found === null ? step(state) : step(state, { type: 'caption', key: found[0], caption, isFinal });
    }
    case 'senderStats': {
      const { subscriptionId, maxAllocatedBitrate, estimatedBandwidth } = input;
      const found = findById(state, subscriptionId);
      if (found === null) return step(state);
      return step(state, {
        type: 'senderStats',
        key: found[0],
        estimates: { maxAllocatedBitrate, estimatedBandwidth },
      });
    }
    case 'transportReplaced':
      return step(
        new Map([...state].map(([key, subscription]) => [key, { ...subscription, binding: null }])),
        ...[...state.keys()].map((key): SubscriptionEffect => ({ type: 'suspend', key })),
      );
    case 'disconnected':
      return step(NO_SUBSCRIPTIONS, ...[...state.keys()].map((key): SubscriptionEffect => ({ type: 'detach', key })));
  }
}

function answered(state: SubscriptionsState, key: number, id: number): SubscriptionStep {
  const subscription = state.get(key);
  if (subscription === undefined) return step(state);
  if (subscription.abandoned) return step(drop(state, key), send({ type: 'unsubscribe', subscriptionId: id }));
  return tellWishes(state, key, { ...subscription, id });
}

function update(state: SubscriptionsState, key: number, wishes: SubscriptionWishes): SubscriptionStep {
  const subscription = state.get(key);
  return subscription === undefined ? step(state) : tellWishes(state, key, { ...subscription, wishes });
}

function tellWishes(state: SubscriptionsState, key: number, subscription: Subscription): SubscriptionStep {
  const { id, wishes, told } = subscription;
  if (id === null || JSON.stringify(told) === JSON.stringify(wishes)) return step(put(state, key, subscription));
  return step(
    put(state, key, { ...subscription, told: wishes }),
    send({ type: 'updateSubscription', subscriptionId: id, ...wishes }),
  );
}

function unsubscribe(state: SubscriptionsState, key: number): SubscriptionStep {
  const subscription = state.get(key);
  if (subscription === undefined || subscription.abandoned) return step(state);
  if (subscription.id === null)
    return step(put(state, key, { ...subscription, abandoned: true }), { type: 'detach', key });
  return step(
    drop(state, key),
    { type: 'detach', key },
    send({ type: 'unsubscribe', subscriptionId: subscription.id }),
  );
}

function bound(state: SubscriptionsState, binding: Binding): SubscriptionStep {
  const found = findById(state, binding.subscriptionId);
  if (found === null) return step(state);
  const [key, subscription] = found;
  return step(put(state, key, { ...subscription, binding }), { type: 'attach', key, binding });
}

function unbound(
  state: SubscriptionsState,
  subscriptionId: number,
  slot: number,
  generation: number,
): SubscriptionStep {
  const release = send({ type: 'releaseSlot', slot, generation });
  const found = findById(state, subscriptionId);
  if (found === null) return step(state, release);
  const [key, subscription] = found;
  if (subscription.binding?.slot !== slot || subscription.binding.generation !== generation)
    return step(state, release);
  return step(put(state, key, { ...subscription, binding: null }), { type: 'detach', key }, release);
}

function reconcile(state: SubscriptionsState, bindings: readonly Binding[]): SubscriptionStep {
  let current = state;
  const effects: SubscriptionEffect[] = [];
  const apply = (next: SubscriptionStep): void => {
    current = next.state;
    effects.push(...next.effects);
  };
  for (const { id, binding } of state.values()) {
    if (id === null || binding === null) continue;
    const held = bindings.some(({ slot, generation }) => slot === binding.slot && generation === binding.generation);
    if (!held) apply(unbound(current, id, binding.slot, binding.generation));
  }
  for (const binding of bindings) {
    const known = findById(current, binding.subscriptionId)?.[1].binding;
    if (known?.slot !== binding.slot || known.generation !== binding.generation) apply(bound(current, binding));
  }
  return { state: current, effects };
}

function step(state: SubscriptionsState, ...effects: readonly SubscriptionEffect[]): SubscriptionStep {
  return { state, effects };
}

function send(request: Extract<SubscriptionEffect, { type: 'send' }>['request']): SubscriptionEffect {
  return { type: 'send', request };
}

function findById(state: SubscriptionsState, id: number): readonly [number, Subscription] | null {
  for (const entry of state) if (entry[1].id === id) return entry;
  return null;
}

function put(state: SubscriptionsState, key: number, subscription: Subscription): SubscriptionsState {
  return new Map(state).set(key, subscription);
}

function drop(state: SubscriptionsState, key: number): SubscriptionsState {
  const rest = new Map(state);
  rest.delete(key);
  return rest;
}
