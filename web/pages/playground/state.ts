// Everything that the page shows, as plain values, and the one function that changes it.
import type { Credentials } from './address.ts';
import { appendEntry, type EventLog, type LogFilter, type LogKind, type NewLogEntry } from './event-log.ts';
import type { Profile } from './profile.ts';
import type { Role } from './roles.ts';
import type { Words } from './words.ts';

/** starting: asking the server for a session. asking: asking the user, since the server gave none; `typed` stands in the form. */
export type Phase =
  | { readonly name: 'starting' | 'connecting' | 'connected' | 'reconnecting' }
  | { readonly name: 'asking'; readonly typed: Credentials | undefined }
  | { readonly name: 'left'; readonly reason: string }
  | { readonly name: 'failed'; readonly words: Words };

export interface ConnectionFacts {
  readonly id: string;
  readonly data: string;
}

export type Playback = 'starting' | 'playing' | 'interrupted' | 'refused';

/** Whether this page's network bears the picture: `poor` is about to lose it, `left-out` gets the sound alone. */
export type Reception = 'good' | 'poor' | 'left-out';

export interface StreamFacts {
  readonly id: string;
  readonly connectionId: string;
  readonly name: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly isScreen: boolean;
}

export interface OwnMedia {
  /** off: nothing is captured. starting: waiting for permission and for the server. */
  readonly state: 'off' | 'starting' | 'live';
  /** What the user wants to send; kept while off. */
  readonly audio: boolean;
  readonly video: boolean;
  readonly hasMicrophone: boolean;
  readonly hasCamera: boolean;
}

export interface Message {
  readonly at: number;
  readonly own: boolean;
  readonly name: string;
  readonly text: string;
}

export interface Toast {
  readonly id: number;
  readonly kind: 'notice' | 'problem';
  readonly words: Words;
}

export const TABS = ['chat', 'people', 'events'] as const;
export type Tab = (typeof TABS)[number];

export interface State {
  readonly phase: Phase;
  /** How bad the server makes the network on purpose, if it does. */
  readonly impair: string | undefined;
  readonly role: Role;
  readonly myName: string;
  /** The own connection's id while connected. */
  readonly me: string | undefined;
  /** In the order of their arrival, own included. */
  readonly connections: readonly ConnectionFacts[];
  readonly profiles: ReadonlyMap<string, Profile>;
  /** In the order of their creation, own included. */
  readonly streams: readonly StreamFacts[];
  /** By stream id, for streams of others. */
  readonly playback: ReadonlyMap<string, Playback>;
  /** Of the streams whose reception is not good. */
  readonly reception: ReadonlyMap<string, Reception>;
  readonly soundBlocked: boolean;
  readonly own: OwnMedia;
  readonly messages: readonly Message[];
  readonly unread: number;
  readonly log: EventLog;
  readonly logFilter: LogFilter;
  readonly tab: Tab;
  readonly panelOpen: boolean;
  /** The connection whose removal waits for a second press. */
  readonly confirming: string | undefined;
  readonly toasts: readonly Toast[];
  /** How many there ever were: no id is given twice. */
  readonly toastCount: number;
}

export type Change =
  | { readonly type: 'phase'; readonly phase: Phase }
  | { readonly type: 'impaired'; readonly impair: string | undefined }
  | { readonly type: 'joined'; readonly me: string; readonly role: Role }
  | { readonly type: 'ended'; readonly reason: string }
  | { readonly type: 'connectionCreated'; readonly connection: ConnectionFacts }
  | { readonly type: 'connectionDestroyed'; readonly id: string }
  | { readonly type: 'streamCreated' | 'streamChanged'; readonly stream: StreamFacts }
  | { readonly type: 'streamDestroyed'; readonly id: string }
  | { readonly type: 'playback'; readonly streamId: string; readonly playback: Playback }
  | { readonly type: 'reception'; readonly streamId: string; readonly reception: Reception }
  | { readonly type: 'soundBlocked'; readonly blocked: boolean }
  | { readonly type: 'profile'; readonly connectionId: string; readonly profile: Profile }
  | { readonly type: 'renamed'; readonly name: string }
  | { readonly type: 'own'; readonly own: Partial<OwnMedia> }
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'logged'; readonly entry: NewLogEntry }
  | { readonly type: 'logKind'; readonly kind: LogKind | undefined }
  | { readonly type: 'logText'; readonly text: string }
  | { readonly type: 'panel'; readonly open: boolean; readonly tab?: Tab }
  | { readonly type: 'confirming'; readonly connectionId: string | undefined }
  | { readonly type: 'toasted'; readonly kind: Toast['kind']; readonly words: Words }
  | { readonly type: 'dismissed'; readonly toastId: number };

export type Dispatch = (change: Change) => void;

/** At most this many toasts stand at once; the oldest goes first. */
const TOASTS = 3;
/** A long session must not fill the page's memory. */
const MESSAGES = 500;

export function initialState(role: Role, myName: string, panelOpen: boolean): State {
  return {
    phase: { name: 'starting' },
    impair: undefined,
    role,
    myName,
    me: undefined,
    connections: [],
    profiles: new Map(),
    streams: [],
    playback: new Map(),
    reception: new Map(),
    soundBlocked: false,
    own: { state: 'off', audio: true, video: true, hasMicrophone: true, hasCamera: true },
    messages: [],
    unread: 0,
    log: [],
    logFilter: { kind: undefined, text: '' },
    tab: 'chat',
    panelOpen,
    confirming: undefined,
    toasts: [],
    toastCount: 0,
  };
}

/** The state after `change`; the old one stays as it is. Late and repeated changes are safe. */
export function reduce(state: State, change: Change): State {
  switch (change.type) {
    case 'phase':
      return { ...state, phase: change.phase };
    case 'impaired':
      return { ...state, impair: change.impair };
    case 'joined':
      return { ...state, phase: { name: 'connected' }, me: change.me, role: change.role };
    case 'ended':
      return { ...emptied(state), phase: { name: 'left', reason: change.reason } };
    case 'connectionCreated':
      return { ...state, connections: withItem(state.connections, change.connection) };
    case 'connectionDestroyed':
      return {
        ...state,
        connections: state.connections.filter(({ id }) => id !== change.id),
        profiles: without(state.profiles, change.id),
        confirming: state.confirming === change.id ? undefined : state.confirming,
      };
    case 'streamCreated':
      return { ...state, streams: withItem(state.streams, change.stream) };
    case 'streamChanged':
      return { ...state, streams: state.streams.map((stream) => (stream.id === change.stream.id ? change.stream : stream)) };
    case 'streamDestroyed':
      return {
        ...state,
        streams: state.streams.filter(({ id }) => id !== change.id),
        playback: without(state.playback, change.id),
        reception: without(state.reception, change.id),
      };
    case 'reception':
      return {
        ...state,
        reception:
          change.reception === 'good'
            ? without(state.reception, change.streamId)
            : new Map(state.reception).set(change.streamId, change.reception),
      };
    case 'playback':
      return { ...state, playback: new Map(state.playback).set(change.streamId, change.playback) };
    case 'soundBlocked':
      return { ...state, soundBlocked: change.blocked };
    case 'profile':
      return { ...state, profiles: new Map(state.profiles).set(change.connectionId, change.profile) };
    case 'renamed':
      return { ...state, myName: change.name };
    case 'own':
      return { ...state, own: { ...state.own, ...change.own } };
    case 'message':
      return withMessage(state, change.message);
    case 'logged':
      return { ...state, log: appendEntry(state.log, change.entry) };
    case 'logKind':
      return { ...state, logFilter: { ...state.logFilter, kind: change.kind } };
    case 'logText':
      return { ...state, logFilter: { ...state.logFilter, text: change.text } };
    case 'panel':
      return withPanel(state, change.open, change.tab ?? state.tab);
    case 'confirming':
      return { ...state, confirming: change.connectionId };
    case 'toasted':
      return withToast(state, change.kind, change.words);
    case 'dismissed':
      return { ...state, toasts: state.toasts.filter(({ id }) => id !== change.toastId) };
  }
}

/** Without everything that belonged to the connection that ended; messages and log stay to be read. */
function emptied(state: State): State {
  return {
    ...state,
    me: undefined,
    connections: [],
    profiles: new Map(),
    streams: [],
    playback: new Map(),
    reception: new Map(),
    soundBlocked: false,
    confirming: undefined,
    own: { ...state.own, state: 'off' },
  };
}

function withMessage(state: State, message: Message): State {
  const isSeen = message.own || (state.panelOpen && state.tab === 'chat');
  return {
    ...state,
    messages: [...state.messages.slice(-(MESSAGES - 1)), message],
    unread: isSeen ? state.unread : state.unread + 1,
  };
}

function withPanel(state: State, open: boolean, tab: Tab): State {
  return { ...state, panelOpen: open, tab, unread: open && tab === 'chat' ? 0 : state.unread, confirming: undefined };
}

/** Saying the same again only renews it. */
function withToast(state: State, kind: Toast['kind'], words: Words): State {
  const id = state.toastCount + 1;
  const others = state.toasts.filter((toast) => toast.words.title !== words.title || toast.words.text !== words.text);
  return { ...state, toasts: [...others.slice(-(TOASTS - 1)), { id, kind, words }], toastCount: id };
}

function withItem<Item extends { readonly id: string }>(items: readonly Item[], item: Item): readonly Item[] {
  return [...items.filter(({ id }) => id !== item.id), item];
}

function without<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}
