/** The OpenTok-shaped surface, era-free: what an application calls and what it is told. */
export type { Era } from './era.ts';
export { Emitter, fire, queueEvent, type Handler } from './emitter.ts';
export {
  ArchiveEvent,
  ConnectionEvent,
  DestroyedEvent,
  Event,
  MuteForcedEvent,
  SessionConnectEvent,
  SessionDisconnectEvent,
  SignalEvent,
  StreamEvent,
  StreamPropertyChangedEvent,
} from './events.ts';
export { idOf, type Target } from './arguments.ts';
export { settle, type Done } from './promises.ts';
export { makeNamespace, Namespace } from './namespace.ts';
export { reportIssue } from './issues.ts';
export { Page } from './page.ts';
export { showRequirements } from './requirements.ts';
export { afterwards, queueJob } from './tasks.ts';
export { Publisher } from './publisher.ts';
export { Session, type SessionOptions } from './session.ts';
export type { SessionModel } from './session-model.ts';
export { Subscriber } from './subscriber.ts';
export { notSupported } from './unavailable.ts';
export { Capabilities, Connection, Stream } from './values.ts';
