/** The OpenTok-shaped surface, era-free: what an application calls and what it is told. */
export type { Era } from './era.ts';
export { fire } from './emitter.ts';
export {
  ConnectionEvent,
  MuteForcedEvent,
  SessionConnectEvent,
  SessionDisconnectEvent,
  StreamEvent,
} from './events.ts';
export { makeNamespace, type Namespace } from './namespace.ts';
export { Page } from './page.ts';
export type { Publisher } from './publisher.ts';
export type { Stream } from './values.ts';
