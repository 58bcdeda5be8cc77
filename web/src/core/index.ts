/** The client's decisions, pure: (state, input) -> state and effects. No clock, socket, document or randomness here. */
export * from './audio-slots.ts';
export * from './facts.ts';
export * from './fallback.ts';
export * from './path.ts';
export * from './playout.ts';
export * from './session.ts';
export * from './standstill.ts';
export * from './subscriptions.ts';
