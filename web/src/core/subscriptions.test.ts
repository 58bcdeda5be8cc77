import { describe, expect, test } from 'vitest';
import type { Binding } from '../wire/index.ts';
import {
  NO_SUBSCRIPTIONS,
  reduceSubscriptions,
  type SubscriptionEffect,
  type SubscriptionInput,
  type SubscriptionsState,
} from './index.ts';

const BINDING: Binding = {
  subscriptionId: 7,
  epoch: 1,
  slot: 0,
  generation: 1,
  audioRtpTimestamp: 1,
  videoRtpTimestamp: 2,
};
const SUBSCRIBE: SubscriptionInput = { type: 'subscribe', key: 1, streamId: 's', wishes: { audio: true, video: true } };
const ANSWERED: SubscriptionInput = { type: 'answered', key: 1, id: 7 };
const BOUND: SubscriptionInput = { type: 'bound', binding: BINDING };
const UNBOUND: SubscriptionInput = { type: 'unbound', subscriptionId: 7, slot: 0, generation: 1 };
const RELEASE = { type: 'send', request: { type: 'releaseSlot', slot: 0, generation: 1 } };
const UNSUBSCRIBE = { type: 'send', request: { type: 'unsubscribe', subscriptionId: 7 } };
const DETACH = { type: 'detach', key: 1 };

/** The effects of the last of `inputs`, and the state after it. */
function after(...inputs: readonly SubscriptionInput[]): {
  state: SubscriptionsState;
  effects: readonly SubscriptionEffect[];
} {
  let state = NO_SUBSCRIPTIONS;
  let effects: readonly SubscriptionEffect[] = [];
  for (const input of inputs) ({ state, effects } = reduceSubscriptions(state, input));
  return { state, effects };
}

describe('a subscription', () => {
  test('is asked for, and attached when bound', () => {
    expect(after(SUBSCRIBE).effects).toEqual([
      { type: 'ask', key: 1, request: { type: 'subscribe', streamId: 's', audio: true, video: true } },
    ]);
    expect(after(SUBSCRIBE, ANSWERED).effects).toEqual([]);
    expect(after(SUBSCRIBE, ANSWERED, BOUND).effects).toEqual([{ type: 'attach', key: 1, binding: BINDING }]);
  });

  test('shows nothing any more before its slot is released', () => {
    expect(after(SUBSCRIBE, ANSWERED, BOUND, UNBOUND).effects).toEqual([DETACH, RELEASE]);
  });

  test('can be bound again', () => {
    const again: Binding = { ...BINDING, slot: 1, generation: 4 };
    expect(after(SUBSCRIBE, ANSWERED, BOUND, UNBOUND, { type: 'bound', binding: again }).effects).toEqual([
      { type: 'attach', key: 1, binding: again },
    ]);
  });

  test('is told to the application when refused, and is gone', () => {
    const error = { name: 'OT_STREAM_NOT_FOUND', code: 1600, message: 'no' };
    expect(after(SUBSCRIBE, { type: 'refused', key: 1, error })).toEqual({
      state: NO_SUBSCRIPTIONS,
      effects: [{ type: 'refuse', key: 1, error }],
    });
  });

  test('tells changed wishes once, and only when there is a number to tell them for', () => {
    const update: SubscriptionInput = { type: 'update', key: 1, wishes: { audio: true, video: false } };
    const told = {
      type: 'send',
      request: { type: 'updateSubscription', subscriptionId: 7, audio: true, video: false },
    };
    expect(after(SUBSCRIBE, ANSWERED, update).effects).toEqual([told]);
    expect(after(SUBSCRIBE, ANSWERED, update, update).effects).toEqual([]);
    expect(after(SUBSCRIBE, update).effects).toEqual([]);
    expect(after(SUBSCRIBE, update, ANSWERED).effects).toEqual([told]);
  });
});

describe('unsubscribing', () => {
  const LEAVE: SubscriptionInput = { type: 'unsubscribe', key: 1 };

  test('stops the picture at once, and the slot is released when the server unbinds it', () => {
    expect(after(SUBSCRIBE, ANSWERED, BOUND, LEAVE).effects).toEqual([DETACH, UNSUBSCRIBE]);
    expect(after(SUBSCRIBE, ANSWERED, BOUND, LEAVE, UNBOUND).effects).toEqual([RELEASE]);
  });

  test('before the answer waits for the number', () => {
    expect(after(SUBSCRIBE, LEAVE).effects).toEqual([DETACH]);
    expect(after(SUBSCRIBE, LEAVE, ANSWERED)).toEqual({ state: NO_SUBSCRIPTIONS, effects: [UNSUBSCRIBE] });
    expect(after(SUBSCRIBE, LEAVE, { type: 'refused', key: 1, error: { name: 'x', code: 1, message: '' } })).toEqual({
      state: NO_SUBSCRIPTIONS,
      effects: [],
    });
  });

  test('twice is once', () => {
    expect(after(SUBSCRIBE, ANSWERED, LEAVE, LEAVE).effects).toEqual([]);
    expect(after(SUBSCRIBE, LEAVE, LEAVE).effects).toEqual([]);
  });

  test('a binding that crosses it on the way is not shown', () => {
    expect(after(SUBSCRIBE, ANSWERED, LEAVE, BOUND).effects).toEqual([]);
  });
});

test('an unbind of an earlier generation releases that one and leaves the picture alone', () => {
  const newer: SubscriptionInput = { type: 'bound', binding: { ...BINDING, generation: 2 } };
  const { state, effects } = after(SUBSCRIBE, ANSWERED, BOUND, newer, UNBOUND);
  expect(effects).toEqual([RELEASE]);
  expect(state.get(1)?.binding?.generation).toBe(2);
});

describe('after a resume', () => {
  test('bindings that still hold change nothing', () => {
    expect(after(SUBSCRIBE, ANSWERED, BOUND, { type: 'bindings', bindings: [BINDING] }).effects).toEqual([]);
  });

  test('an unbind that was missed is made up for', () => {
    expect(after(SUBSCRIBE, ANSWERED, BOUND, { type: 'bindings', bindings: [] }).effects).toEqual([DETACH, RELEASE]);
  });

  test('a binding that was missed is attached', () => {
    expect(after(SUBSCRIBE, ANSWERED, { type: 'bindings', bindings: [BINDING] }).effects).toEqual([
      { type: 'attach', key: 1, binding: BINDING },
    ]);
  });
});

test('a replaced transport forgets bindings and keeps subscriptions', () => {
  const { state, effects } = after(SUBSCRIBE, ANSWERED, BOUND, { type: 'transportReplaced' });
  expect(effects).toEqual([{ type: 'suspend', key: 1 }]);
  expect(state.get(1)).toMatchObject({ id: 7, binding: null });
});

test('the end of the connection detaches everything', () => {
  expect(after(SUBSCRIBE, ANSWERED, BOUND, { type: 'disconnected' })).toEqual({
    state: NO_SUBSCRIPTIONS,
    effects: [DETACH],
  });
});
