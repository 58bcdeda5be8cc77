/**
 * The session as one client knows it: every rule about connecting, leaving, the snapshot and the order of events.
 *
 * Invariants: `disconnected` is told exactly once after each `connected`, whatever races; an event number is handled at
 * most once; nothing is told of a session between its end and the next `connected`; an own stream is told created once,
 * when the reply to `publish` names it, and destroyed once.
 */
import type {
  Joined,
  Reason,
  Resumed,
  SessionEvent,
  Snapshot,
  WireArchive,
  StateValues,
  WireConnection,
  WireError,
  WireStream,
} from '../wire/index.ts';
import type { Fact } from './facts.ts';

export type Phase = 'disconnected' | 'connecting' | 'connected' | 'reconnecting' | 'disconnecting';

export interface SessionState {
  readonly phase: Phase;
  /** Highest event number handled; 0 before the first. */
  readonly number: number;
  /** Null outside a connection. */
  readonly own: WireConnection | null;
  readonly connections: ReadonlyMap<string, WireConnection>;
  /** Every stream of the session, own ones included once `publish` was answered. */
  readonly streams: ReadonlyMap<string, WireStream>;
  /** Whether streams begin without sound. */
  readonly muted: boolean;
  /** Those that run. */
  readonly archives: ReadonlyMap<string, WireArchive>;
  /** The state that all clients of the session share. */
  readonly shared: ReadonlyMap<string, string>;
  /** Own streams that ended before the reply to their `publish` was handled, with the reason. */
  readonly endedEarly: ReadonlyMap<string, Reason>;
  /** Own streams that were muted before the reply to their `publish` was handled. */
  readonly mutedEarly: ReadonlyMap<string, true>;
}

export type SessionInput =
  | { readonly type: 'connect' }
  | { readonly type: 'disconnect' }
  | { readonly type: 'joined'; readonly message: Joined }
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'interrupted' }
  | { readonly type: 'resumed'; readonly message: Resumed }
  | { readonly type: 'ended'; readonly reason: Reason }
  | { readonly type: 'event'; readonly number: number; readonly event: SessionEvent }
  | { readonly type: 'published'; readonly stream: WireStream }
  | { readonly type: 'unpublished'; readonly streamId: string; readonly reason: Reason };

export type SessionEffect =
  | { readonly type: 'join' }
  | { readonly type: 'leave' }
  | { readonly type: 'cancelJoin' }
  | { readonly type: 'startMedia'; readonly message: Joined }
  | { readonly type: 'stopMedia' }
  | { readonly type: 'tell'; readonly fact: Fact };

export interface SessionStep {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

export const NOT_CONNECTED: SessionState = {
  phase: 'disconnected',
  number: 0,
  own: null,
  connections: new Map(),
  streams: new Map(),
  muted: false,
  archives: new Map(),
  shared: new Map(),
  endedEarly: new Map(),
  mutedEarly: new Map(),
};

const CANCELLED: WireError = {
  name: 'OT_CONNECT_FAILED',
  code: 1006,
  message: 'disconnect() was called while connecting.',
};

/** Reasons that end a whole connection: an own stream that ends by one of them is told with its connection. */
const ENDS_CONNECTION: ReadonlySet<Reason> = new Set<Reason>(['forceDisconnected', 'networkDisconnected', 'mediaIdle']);

/** The step that `input` makes from `state`. An input that has no meaning in the phase changes nothing. */
export function reduceSession(state: SessionState, input: SessionInput): SessionStep {
  switch (input.type) {
    case 'connect':
      return state.phase === 'disconnected'
        ? step({ ...NOT_CONNECTED, phase: 'connecting' }, { type: 'join' })
        : stay(state);
    case 'joined':
      return state.phase === 'connecting' ? join(input.message) : stay(state);
    case 'failed':
      return state.phase === 'connecting' ? fail(input.error) : stay(state);
    case 'disconnect':
      return disconnect(state);
    case 'interrupted':
      return state.phase === 'connected'
        ? step({ ...state, phase: 'reconnecting' }, tell({ type: 'reconnecting' }))
        : stay(state);
    case 'resumed':
      return state.phase === 'reconnecting' ? resume(state, input.message) : stay(state);
    case 'ended':
      return end(state, input.reason);
    case 'event':
      if (!isPresent(state) || input.number <= state.number) return stay(state);
      return handleEvent({ ...state, number: input.number }, input.event);
    case 'published':
      return isPresent(state) ? published(state, input.stream) : stay(state);
    case 'unpublished':
      return isPresent(state) && state.streams.has(input.streamId)
        ? destroyStream(state, input.streamId, input.reason)
        : stay(state);
  }
}

/** Whether the client is in the session and the application has not said goodbye. */
export function isPresent(state: SessionState): boolean {
  return state.phase === 'connected' || state.phase === 'reconnecting';
}

function step(state: SessionState, ...effects: readonly SessionEffect[]): SessionStep {
  return { state, effects };
}

function stay(state: SessionState): SessionStep {
  return { state, effects: [] };
}

function tell(fact: Fact): SessionEffect {
  return { type: 'tell', fact };
}

function join(message: Joined): SessionStep {
  const own = message.connection;
  const connections = inOrder([...message.connections.filter(({ id }) => id !== own.id), own]);
  const streams = inOrder(message.streams);
  const muted = message.muted === true;
  const shared = new Map(Object.entries(message.state ?? {}));
  const archives = message.archives ?? [];
  return step(
    {
      phase: 'connected',
      number: message.number,
      own,
      connections: byId(connections),
      streams: byId(streams),
      muted,
      archives: byId(archives),
      shared,
      endedEarly: new Map(),
      mutedEarly: new Map(),
    },
    tell({
      type: 'connected',
      own,
      capabilities: message.capabilities,
      connections,
      streams,
      muted,
      archives,
      state: shared,
    }),
    { type: 'startMedia', message },
  );
}

function fail(error: WireError): SessionStep {
  return step(NOT_CONNECTED, tell({ type: 'connectFailed', error }));
}

function disconnect(state: SessionState): SessionStep {
  if (state.phase === 'connecting') {
    return step(NOT_CONNECTED, { type: 'cancelJoin' }, tell({ type: 'connectFailed', error: CANCELLED }));
  }
  if (!isPresent(state)) return stay(state);
  return step({ ...state, phase: 'disconnecting' }, { type: 'stopMedia' }, { type: 'leave' });
}

function end(state: SessionState, reason: Reason): SessionStep {
  if (state.phase === 'connecting') {
    return fail({
      name: 'OT_CONNECT_FAILED',
      code: 1006,
      message: 'The server ended the connection while it was being made.',
    });
  }
  if (state.phase === 'disconnected') return stay(state);
  const own = state.own?.id;
  const ownStreams = [...state.streams.values()].filter((stream) => stream.connectionId === own).map(({ id }) => id);
  return step(NOT_CONNECTED, { type: 'stopMedia' }, tell({ type: 'disconnected', reason, ownStreams }));
}

function resume(state: SessionState, message: Resumed): SessionStep {
  const back: SessionState = { ...state, phase: 'connected' };
  const told: SessionEffect[] = [tell({ type: 'reconnected' })];
  if (message.snapshot === undefined) return step(back, ...told);
  const caughtUp = catchUp(back, message.snapshot);
  return step(caughtUp.state, ...told, ...caughtUp.effects);
}

/** What must have happened meanwhile, told as ordinary facts: ends first, then beginnings. */
function catchUp(state: SessionState, snapshot: Snapshot): SessionStep {
  const connections = byId(snapshot.connections);
  const streams = byId(snapshot.streams);
  const missed: SessionEvent[] = [];
  for (const { id, connectionId } of state.streams.values()) {
    if (!streams.has(id))
      missed.push({ type: 'streamDestroyed', streamId: id, connectionId, reason: 'networkDisconnected' });
  }
  for (const id of state.connections.keys()) {
    if (!connections.has(id))
      missed.push({ type: 'connectionDestroyed', connectionId: id, reason: 'networkDisconnected' });
  }
  for (const connection of inOrder(snapshot.connections)) {
    if (!state.connections.has(connection.id)) missed.push({ type: 'connectionCreated', connection });
  }
  for (const stream of inOrder(snapshot.streams)) {
    const known = state.streams.get(stream.id);
    if (known === undefined) missed.push({ type: 'streamCreated', stream });
    else {
      const own = stream.connectionId === state.own?.id;
      // Perhaps by ourselves a moment ago; but nobody may be heard whom the others believe to be silent.
      if (own && known.hasAudio && !stream.hasAudio) missed.push({ type: 'streamMuted', streamId: stream.id });
      missed.push(...changes(known, stream));
    }
  }
  const muted = snapshot.muted === true;
  if (muted !== state.muted) missed.push({ type: 'muteForced', active: muted });
  const archives = byId(snapshot.archives ?? []);
  for (const archive of state.archives.values())
    if (!archives.has(archive.id)) missed.push({ type: 'archiveStopped', archive });
  for (const archive of archives.values())
    if (!state.archives.has(archive.id)) missed.push({ type: 'archiveStarted', archive });
  const values = differences(state.shared, snapshot.state ?? {});
  if (Object.keys(values).length > 0) missed.push({ type: 'stateChanged', values });
  let current: SessionState = { ...state, number: snapshot.number };
  const effects: SessionEffect[] = [];
  for (const event of missed) {
    // An own stream that is gone was ended by somebody: the connection itself still stands.
    const own = event.type === 'streamDestroyed' && event.connectionId === state.own?.id;
    const next = own ? destroyStream(current, event.streamId, 'forceUnpublished') : handleEvent(current, event);
    current = next.state;
    effects.push(...next.effects);
  }
  return { state: current, effects };
}

function differences(before: ReadonlyMap<string, string>, after: Readonly<Record<string, string>>): StateValues {
  const gone = [...before.keys()].filter((key) => !Object.hasOwn(after, key)).map((key) => [key, null] as const);
  return Object.fromEntries([...gone, ...Object.entries(after).filter(([key, value]) => before.get(key) !== value)]);
}

const LIVE_PROPERTIES = ['hasAudio', 'hasVideo', 'hasCaptions', 'videoDimensions', 'videoType'] as const;

function changes(before: WireStream, after: WireStream): SessionEvent[] {
  return LIVE_PROPERTIES.filter((property) => JSON.stringify(before[property]) !== JSON.stringify(after[property])).map(
    (property) => ({
      type: 'streamPropertyChanged',
      streamId: after.id,
      property,
      oldValue: before[property],
      newValue: after[property],
    }),
  );
}

function handleEvent(state: SessionState, event: SessionEvent): SessionStep {
  switch (event.type) {
    case 'connectionCreated': {
      const { connection } = event;
      if (state.connections.has(connection.id)) return stay(state);
      return step({ ...state, connections: having(state.connections, connection.id, connection) }, tell(event));
    }
    case 'connectionDestroyed':
      if (event.connectionId === state.own?.id) return end(state, event.reason);
      if (!state.connections.has(event.connectionId)) return stay(state);
      return step({ ...state, connections: lacking(state.connections, event.connectionId) }, tell(event));
    case 'connectionInterrupted':
    case 'connectionRestored':
      return event.connectionId === state.own?.id ? stay(state) : step(state, tell(event));
    case 'streamCreated': {
      const { stream } = event;
      if (stream.connectionId === state.own?.id || state.streams.has(stream.id)) return stay(state);
      return step(
        { ...state, streams: having(state.streams, stream.id, stream) },
        tell({ type: 'streamCreated', stream, own: false }),
      );
    }
    case 'streamDestroyed':
      return streamDestroyed(state, event.streamId, event.connectionId, event.reason);
    case 'streamPropertyChanged': {
      const stream = state.streams.get(event.streamId);
      if (stream === undefined) return stay(state);
      const changed: WireStream = { ...stream, [event.property]: event.newValue };
      return step({ ...state, streams: having(state.streams, stream.id, changed) }, tell(event));
    }
    case 'archiveStarted':
      if (state.archives.has(event.archive.id)) return stay(state);
      return step({ ...state, archives: having(state.archives, event.archive.id, event.archive) }, tell(event));
    case 'archiveStopped':
      if (!state.archives.has(event.archive.id)) return stay(state);
      return step({ ...state, archives: lacking(state.archives, event.archive.id) }, tell(event));
    case 'muteForced':
      return step({ ...state, muted: event.active }, tell(event));
    case 'streamMuted':
      if (state.streams.has(event.streamId)) return step(state, tell(event));
      return step({ ...state, mutedEarly: having(state.mutedEarly, event.streamId, true) });
    case 'stateChanged':
      return step({ ...state, shared: changed(state.shared, event.values) }, tell(event));
    case 'signal':
      return step(state, tell({ type: 'signal', signal: event }));
  }
}

function streamDestroyed(state: SessionState, streamId: string, connectionId: string, reason: Reason): SessionStep {
  if (connectionId === state.own?.id) {
    if (ENDS_CONNECTION.has(reason)) return stay(state);
    if (!state.streams.has(streamId)) {
      return step({ ...state, endedEarly: having(state.endedEarly, streamId, reason) });
    }
  }
  return state.streams.has(streamId) ? destroyStream(state, streamId, reason) : stay(state);
}

function destroyStream(state: SessionState, streamId: string, reason: Reason): SessionStep {
  const own = state.streams.get(streamId)?.connectionId === state.own?.id;
  return step(
    { ...state, streams: lacking(state.streams, streamId) },
    tell({ type: 'streamDestroyed', streamId, own, reason }),
  );
}

function published(state: SessionState, stream: WireStream): SessionStep {
  if (state.streams.has(stream.id)) return stay(state);
  const begun = step(
    {
      ...state,
      streams: having(state.streams, stream.id, stream),
      endedEarly: lacking(state.endedEarly, stream.id),
      mutedEarly: lacking(state.mutedEarly, stream.id),
    },
    tell({ type: 'streamCreated', stream, own: true }),
    ...(state.mutedEarly.has(stream.id) ? [tell({ type: 'streamMuted', streamId: stream.id })] : []),
  );
  const ended = state.endedEarly.get(stream.id);
  if (ended === undefined) return begun;
  const gone = destroyStream(begun.state, stream.id, ended);
  return step(gone.state, ...begun.effects, ...gone.effects);
}

function changed(map: ReadonlyMap<string, string>, values: StateValues): ReadonlyMap<string, string> {
  const after = new Map(map);
  for (const [key, value] of Object.entries(values)) {
    if (value === null) after.delete(key);
    else after.set(key, value);
  }
  return after;
}

function having<Value>(map: ReadonlyMap<string, Value>, key: string, value: Value): ReadonlyMap<string, Value> {
  return new Map(map).set(key, value);
}

function lacking<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

function byId<Entry extends { readonly id: string }>(entries: readonly Entry[]): ReadonlyMap<string, Entry> {
  return new Map(entries.map((entry) => [entry.id, entry]));
}

function inOrder<Entry extends { readonly creationTime: number }>(entries: readonly Entry[]): readonly Entry[] {
  return [...entries].sort((one, other) => one.creationTime - other.creationTime);
}
