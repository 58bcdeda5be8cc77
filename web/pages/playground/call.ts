// One membership in one session, from joining to leaving and joining again: the events of the API become changes of the
// state and entries of the log, and what the user does becomes calls of the API.
import type { Credentials } from './address.ts';
import type { Journal } from './journal.ts';
import type { MediaElements } from './media-elements.ts';
import { shortId } from './names.ts';
import type { Connection, OpenTok, Session, SignalEvent, Stream } from './opentok.ts';
import { OwnMedia } from './own-media.ts';
import { nameOf } from './people.ts';
import { encodeProfile, parseProfile, PROFILE_SIGNAL } from './profile.ts';
import { mayPublish, maySignal, maySubscribe, roleOf } from './roles.ts';
import type { Dispatch, State, StreamFacts } from './state.ts';
import { RemoteMedia } from './remote-media.ts';
import { departureWords, problemWords } from './words.ts';

export interface CallParts {
  readonly openTok: OpenTok;
  readonly credentials: Credentials;
  readonly state: () => State;
  readonly dispatch: Dispatch;
  readonly elements: MediaElements;
  readonly journal: Journal;
  readonly now: () => number;
}

const CHAT_SIGNAL = 'chat';

export class Call {
  readonly #parts: CallParts;
  readonly #session: Session;
  readonly #own: OwnMedia;
  readonly #remote: RemoteMedia;
  #token: string;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#token = parts.credentials.token;
    this.#session = parts.openTok.initSession(parts.credentials.apiKey, parts.credentials.sessionId);
    this.#own = new OwnMedia({ ...parts, session: this.#session, onStream: (stream) => this.#addStream(stream) });
    this.#remote = new RemoteMedia({ ...parts, session: this.#session, who: (id) => this.#who(id) });
    this.#listenToSession();
    this.#listenToOthers();
    this.#session.on('signal', (event) => this.#onSignal(event));
  }

  /** Whether this is the call of that session; only the token may differ. */
  isIn({ apiKey, sessionId }: Credentials): boolean {
    return apiKey === this.#parts.credentials.apiKey && sessionId === this.#parts.credentials.sessionId;
  }

  /** Joins with the token, or with the last one. */
  join(token = this.#token): void {
    const { dispatch, journal } = this.#parts;
    this.#token = token;
    dispatch({ type: 'phase', phase: { name: 'connecting' } });
    this.#session.connect(token, (error) => {
      if (!error) return;
      const words = problemWords('connect', error);
      journal.log('problem', { type: error.name, summary: error.message, details: { attempt: 'connect', code: error.code } });
      dispatch({ type: 'phase', phase: { name: 'failed', words } });
    });
  }

  leave(): void {
    this.#own.stop();
    this.#session.disconnect();
  }

  toggle(track: 'audio' | 'video'): void {
    const { phase, role } = this.#parts.state();
    if (phase.name === 'connected' && mayPublish(role)) this.#own.toggle(track);
  }

  chat(text: string): void {
    this.#session.signal({ type: CHAT_SIGNAL, data: text }, (error) => {
      if (error) this.#parts.journal.problem('signal', error);
    });
  }

  rename(name: string): void {
    this.#parts.dispatch({ type: 'renamed', name });
    if (this.#parts.state().me !== undefined) this.#tellProfile(false);
  }

  remove(connectionId: string): void {
    this.#parts.dispatch({ type: 'confirming', connectionId: undefined });
    this.#session.forceDisconnect(connectionId, (error) => {
      if (error) this.#parts.journal.problem('remove', error);
    });
  }

  #listenToSession(): void {
    const { dispatch, journal } = this.#parts;
    this.#session
      .on('sessionConnected', ({ type }) => this.#onConnected(type))
      .on('sessionDisconnected', ({ type, reason }) => {
        journal.log('session', { type, reason, summary: 'Your connection ended' });
        this.#own.stop();
        dispatch({ type: 'ended', reason });
      })
      .on('sessionReconnecting', ({ type }) => {
        journal.log('session', { type, summary: 'The server is not heard; trying again' });
        dispatch({ type: 'phase', phase: { name: 'reconnecting' } });
      })
      .on('sessionReconnected', ({ type }) => {
        journal.log('session', { type, summary: 'The server is heard again' });
        dispatch({ type: 'phase', phase: { name: 'connected' } });
      });
  }

  #onConnected(type: string): void {
    const { dispatch, journal, credentials } = this.#parts;
    const me = this.#session.connection?.connectionId ?? '';
    const role = roleOf(this.#session.capabilities);
    dispatch({ type: 'joined', me, role });
    journal.log('session', { type, summary: `You joined as ${role}`, details: { sessionId: credentials.sessionId, connectionId: me } });
    this.#tellProfile(true);
    if (mayPublish(role)) this.#own.start();
  }

  #listenToOthers(): void {
    const { dispatch, journal } = this.#parts;
    this.#session
      .on('connectionCreated', ({ type, connection }) => {
        const { connectionId: id, data } = connection;
        dispatch({ type: 'connectionCreated', connection: { id, data } });
        journal.log('connection', { type, summary: `${this.#who(id)} is here`, details: { connectionId: id, data } });
      })
      .on('connectionDestroyed', ({ type, connection, reason }) => {
        const { connectionId } = connection;
        journal.log('connection', { type, reason, summary: `${this.#who(connectionId)} ${departureWords(reason)}`, details: { connectionId } });
        dispatch({ type: 'connectionDestroyed', id: connectionId });
      })
      .on('streamCreated', ({ type, stream }) => {
        this.#addStream(stream);
        journal.log('stream', { type, summary: `${this.#who(stream.connection.connectionId)} publishes`, details: streamDetails(stream) });
        if (maySubscribe(this.#parts.state().role)) this.#remote.show(stream);
      })
      .on('streamDestroyed', ({ type, stream, reason }) => {
        const who = this.#who(stream.connection.connectionId);
        journal.log('stream', { type, reason, summary: `The stream of ${who} ended`, details: { streamId: stream.streamId } });
        dispatch({ type: 'streamDestroyed', id: stream.streamId });
        this.#remote.forget(stream);
      })
      .on('streamPropertyChanged', ({ type, stream, changedProperty, oldValue, newValue }) => {
        const who = this.#who(stream.connection.connectionId);
        dispatch({ type: 'streamChanged', stream: streamFacts(stream) });
        const summary = `${changedProperty} of ${who}: ${JSON.stringify(oldValue)} → ${JSON.stringify(newValue)}`;
        journal.log('stream', { type, summary, details: { streamId: stream.streamId } });
      });
  }

  #onSignal({ type, data = '', from }: SignalEvent): void {
    const { journal, dispatch, now, state } = this.#parts;
    if (type === `signal:${PROFILE_SIGNAL}` && from) this.#onProfile(from, data);
    const who = from ? this.#who(from.connectionId) : 'the server';
    journal.log('signal', { type, summary: `from ${who}`, details: { data, from: from?.connectionId } });
    if (type === `signal:${CHAT_SIGNAL}`) {
      const own = from !== null && from.connectionId === state().me;
      const name = from ? nameOf(state(), from.connectionId) : 'Server';
      dispatch({ type: 'message', message: { at: now(), own, name, text: data } });
    }
  }

  #onProfile(from: Connection, data: string): void {
    const profile = parseProfile(data);
    if (!profile || from.connectionId === this.#parts.state().me) return;
    this.#parts.dispatch({ type: 'profile', connectionId: from.connectionId, profile });
    if (profile.asks) this.#tellProfile(false, from);
  }

  /** Tells everybody, or `to` alone, what the own name is. It failing costs others a name, nothing more. */
  #tellProfile(asks: boolean, to?: Connection): void {
    const { role, myName } = this.#parts.state();
    if (!maySignal(role)) return;
    const data = encodeProfile({ name: myName, role, asks });
    this.#session.signal({ type: PROFILE_SIGNAL, data, ...(to && { to }) }, (error) => {
      if (error) this.#parts.journal.log('problem', { type: error.name, summary: `The name was not told: ${error.message}` });
    });
  }

  #addStream(stream: Stream): void {
    this.#parts.dispatch({ type: 'streamCreated', stream: streamFacts(stream) });
  }

  /** A name for the log; two people may have the same. */
  #who(connectionId: string): string {
    const name = nameOf(this.#parts.state(), connectionId);
    const id = shortId(connectionId);
    return name === id ? id : `${name} (${id})`;
  }
}

function streamFacts(stream: Stream): StreamFacts {
  const { streamId: id, connection, name, hasAudio, hasVideo, videoType } = stream;
  return { id, connectionId: connection.connectionId, name, hasAudio, hasVideo, isScreen: videoType === 'screen' };
}

function streamDetails({ streamId, name, hasAudio, hasVideo, videoType }: Stream): Record<string, unknown> {
  return { streamId, name, hasAudio, hasVideo, videoType };
}
