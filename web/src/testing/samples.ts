/** People and streams that many tests speak of. */
import { OTError } from '../errors.ts';
import type { Joined, WireConnection, WireStream } from '../wire/index.ts';

export const ANN: WireConnection = { id: 'ann', creationTime: 1000, data: 'name=Ann' };
export const BOB: WireConnection = { id: 'bob', creationTime: 2000, data: '' };

/** A camera's stream of that connection. */
export function stream(id: string, connectionId: string, changes: Partial<WireStream> = {}): WireStream {
  return {
    id,
    connectionId,
    creationTime: 3000,
    name: `stream of ${connectionId}`,
    hasAudio: true,
    hasVideo: true,
    hasCaptions: false,
    videoType: 'camera',
    videoDimensions: { width: 640, height: 480 },
    ...changes,
  };
}

/** What Bob gets when he joins Ann. */
export function joined(changes: Partial<Joined> = {}): Joined {
  return {
    type: 'joined',
    connection: BOB,
    connections: [ANN, BOB],
    streams: [],
    number: 10,
    role: 'moderator',
    capabilities: { publish: 1, subscribe: 1, signal: 1, forceDisconnect: 1, forceUnpublish: 1, forceMute: 1 },
    resumeKey: 'key-1',
    heartbeatS: 10,
    reconnectWindowS: 60,
    iceServers: [],
    ...changes,
  };
}

/** What `work` was rejected with. */
export async function errorOf(work: Promise<unknown>): Promise<OTError> {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof OTError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was rejected');
}
