/**
 * Whose sound the audio slots of the peer carry, pure.
 *
 * In a large session the sound of subscriptions leaves their pairs: the server says which subscription each audio slot carries,
 * and that may be said before the subscription is bound. A subscription is on one audio slot at most.
 */
export interface Carried {
  readonly subscriptionId: number;
  /** First RTP timestamp of its sound on the slot. */
  readonly from: number | null;
}

/** By slot. */
export type AudioSlotsState = ReadonlyMap<number, Carried>;

export const NO_AUDIO_SLOTS: AudioSlotsState = new Map();

/** The slot carries this from now on, or nothing; and the subscriptions whose sound comes from elsewhere by that. */
export function carry(
  state: AudioSlotsState,
  slot: number,
  carried: Carried | null,
): { readonly state: AudioSlotsState; readonly changed: readonly number[] } {
  const before = state.get(slot);
  if (before?.subscriptionId === carried?.subscriptionId && before?.from === carried?.from)
    return { state, changed: [] };
  const next = new Map([...state].filter(([, { subscriptionId }]) => subscriptionId !== carried?.subscriptionId));
  if (carried === null) next.delete(slot);
  else next.set(slot, carried);
  const changed = [before?.subscriptionId, carried?.subscriptionId].filter((id) => id !== undefined);
  return { state: next, changed: [...new Set(changed)] };
}

/** Where the sound of a subscription comes from; null for its own pair. */
export function soundOf(
  state: AudioSlotsState,
  subscriptionId: number,
): { readonly slot: number; readonly from: number | null } | null {
  for (const [slot, carried] of state)
    if (carried.subscriptionId === subscriptionId) return { slot, from: carried.from };
  return null;
}
