/** One client's session at work: runs the core's effects against the socket and the peer connection. Knows no era. */
export { SessionEngine } from './engine.ts';
export type { Credentials, EncryptionWishes, EngineWorld, IceWishes, SubscriptionSink } from './engine.ts';
export type { Publication, SlotMedia, SlotSound } from './media.ts';
export { browserWorld } from './world.ts';
