// Who is there and what stands on the stage, read from the state.
import { nameFromData, shortId } from './names.ts';
import type { Role } from './roles.ts';
import type { Playback, Reception, State, StreamFacts } from './state.ts';

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly isMe: boolean;
  /** Of others: what they say about themselves; undefined when they said nothing. */
  readonly role: Role | undefined;
  readonly streams: readonly StreamFacts[];
}

/** Everybody in the session: oneself first, then in the order of arrival. */
export function people(state: State): Person[] {
  const persons = state.connections.map(({ id }) => ({
    id,
    name: nameOf(state, id),
    isMe: id === state.me,
    role: id === state.me ? state.role : state.profiles.get(id)?.role,
    streams: state.streams.filter(({ connectionId }) => connectionId === id),
  }));
  return [...persons.filter(({ isMe }) => isMe), ...persons.filter(({ isMe }) => !isMe)];
}

/** What the token says (the server vouches for it), else what the person says, else a stream's name, else a short id. */
export function nameOf(state: State, connectionId: string): string {
  const connection = state.connections.find(({ id }) => id === connectionId);
  const fromToken = connection && nameFromData(connection.data);
  if (fromToken) return fromToken;
  if (connectionId === state.me) return state.myName;
  const streamName = state.streams.find((stream) => stream.connectionId === connectionId)?.name;
  return state.profiles.get(connectionId)?.name || streamName || shortId(connectionId);
}

export interface Tile {
  readonly key: string;
  readonly connectionId: string;
  readonly name: string;
  readonly isMe: boolean;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly playback: Playback;
  readonly reception: Reception;
}

/** The key of the tile with the own picture: it stands before the stream exists. */
export const OWN_TILE = 'own';

/** What stands on the stage: the own picture first, then the streams of others in the order of their creation. */
export function tiles(state: State): Tile[] {
  const mine: Tile[] =
    state.own.state === 'off'
      ? []
      : [
          {
            key: OWN_TILE,
            connectionId: state.me ?? '',
            name: nameOf(state, state.me ?? ''),
            isMe: true,
            hasAudio: state.own.audio && state.own.hasMicrophone,
            hasVideo: state.own.video && state.own.hasCamera,
            playback: state.own.state === 'live' ? 'playing' : 'starting',
            reception: 'good' as const,
          },
        ];
  const others = state.streams
    .filter(({ id, connectionId }) => connectionId !== state.me && state.playback.has(id))
    .map((stream) => ({
      key: stream.id,
      connectionId: stream.connectionId,
      name: nameOf(state, stream.connectionId),
      isMe: false,
      hasAudio: stream.hasAudio,
      hasVideo: stream.hasVideo,
      playback: state.playback.get(stream.id) ?? 'starting',
      reception: state.reception.get(stream.id) ?? 'good',
    }));
  return [...mine, ...others];
}
