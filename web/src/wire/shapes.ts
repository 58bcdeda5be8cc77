/** Tests of shape for what the server sends, field by field; one table, read by the frame parser. */

export type Shape = (value: unknown) => boolean;

const string: Shape = (value) => typeof value === 'string';
const number: Shape = (value) => typeof value === 'number';
const integer: Shape = Number.isInteger;
const boolean: Shape = (value) => typeof value === 'boolean';
const anything: Shape = () => true;

/** An object of any keys whose values all have this shape. */
function recordOf(shape: Shape): Shape {
  return (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(shape);
}

function oneOf(...words: readonly string[]): Shape {
  return (value) => typeof value === 'string' && words.includes(value);
}

function listOf(shape: Shape): Shape {
  return (value) => Array.isArray(value) && value.every(shape);
}

/** An object with these fields; a key that ends in `?` may be absent. Unknown fields are ignored. */
function fields(table: Readonly<Record<string, Shape>>): Shape {
  const entries = Object.entries(table).map(([key, shape]) => ({
    key: key.replace('?', ''),
    optional: key.endsWith('?'),
    shape,
  }));
  return (value) => {
    if (typeof value !== 'object' || value === null) return false;
    const record = value as Record<string, unknown>;
    return entries.every(({ key, optional, shape }) => (record[key] === undefined ? optional : shape(record[key])));
  };
}

const reason = oneOf(
  'clientDisconnected',
  'forceDisconnected',
  'networkDisconnected',
  'forceUnpublished',
  'mediaStopped',
  'mediaIdle',
);
const dimensions = fields({ width: integer, height: integer });
const connection = fields({ id: string, creationTime: number, data: string, 'clientData?': string });
const stream = fields({
  id: string,
  connectionId: string,
  creationTime: number,
  name: string,
  'initials?': string,
  hasAudio: boolean,
  hasVideo: boolean,
  hasCaptions: boolean,
  'videoType?': oneOf('camera', 'screen', 'custom'),
  videoDimensions: dimensions,
  'frameRate?': number,
});
const capabilities = fields({
  publish: integer,
  subscribe: integer,
  signal: integer,
  forceDisconnect: integer,
  forceUnpublish: integer,
  forceMute: integer,
});
const error = fields({ name: string, code: integer, message: string });
const binding = fields({
  subscriptionId: integer,
  epoch: integer,
  slot: integer,
  generation: integer,
  'audioRtpTimestamp?': integer,
  'videoRtpTimestamp?': integer,
});
const archive = fields({ id: string, 'name?': string });
const snapshot = {
  connections: listOf(connection),
  streams: listOf(stream),
  number: integer,
  'muted?': boolean,
  'archives?': listOf(archive),
  'state?': recordOf(string),
};

/** Message type -> shape of its body. */
export const SERVER_SHAPES: ReadonlyMap<string, Shape> = new Map(
  Object.entries({
    joined: fields({
      ...snapshot,
      connection,
      role: oneOf('subscriber', 'publisher', 'publisheronly', 'moderator'),
      capabilities,
      resumeKey: string,
      heartbeatS: number,
      reconnectWindowS: number,
      iceServers: listOf(fields({ urls: listOf(string), 'username?': string, 'credential?': string })),
    }),
    resumed: fields({ resumeKey: string, epoch: integer, bindings: listOf(binding), 'snapshot?': fields(snapshot) }),
    refused: fields({ error }),
    reply: fields({ id: integer, 'result?': fields({}), 'error?': error }),
    ping: fields({}),
    pong: fields({}),
    bound: fields({ binding }),
    unbound: fields({ subscriptionId: integer, slot: integer, generation: integer }),
    audioSlot: fields({ epoch: integer, slot: integer, 'subscriptionId?': integer, 'audioRtpTimestamp?': integer }),
    slotsNeeded: fields({ pairs: integer }),
    subscriptionVideo: fields({ subscriptionId: integer, enabled: boolean, reason: string }),
    caption: fields({ subscriptionId: integer, caption: string, isFinal: boolean }),
    subscriptionVideoWarning: fields({ subscriptionId: integer, active: boolean }),
    senderStats: fields({ subscriptionId: integer, maxAllocatedBitrate: integer, estimatedBandwidth: integer }),
    layersPaused: fields({ streamId: string, rids: listOf(string) }),
    mediaFailed: fields({ epoch: integer, message: string }),
    disconnected: fields({ reason }),
    connectionCreated: fields({ connection }),
    connectionDestroyed: fields({ connectionId: string, reason }),
    connectionInterrupted: fields({ connectionId: string }),
    connectionRestored: fields({ connectionId: string }),
    streamCreated: fields({ stream }),
    streamDestroyed: fields({ streamId: string, connectionId: string, reason }),
    streamPropertyChanged: fields({
      streamId: string,
      property: oneOf('hasAudio', 'hasVideo', 'hasCaptions', 'videoDimensions', 'videoType'),
      oldValue: anything,
      newValue: anything,
      'forQuality?': boolean,
    }),
    archiveStarted: fields({ archive }),
    archiveStopped: fields({ archive }),
    muteForced: fields({ active: boolean }),
    streamMuted: fields({ streamId: string }),
    stateChanged: fields({ values: recordOf((value) => value === null || typeof value === 'string') }),
    signal: fields({ 'from?': string, 'signalType?': string, 'data?': string }),
  }),
);

/** Request type -> shape of the result in its reply; a type that is not named has an empty result. */
export const RESULT_SHAPES: ReadonlyMap<string, Shape> = new Map(
  Object.entries({
    negotiate: fields({ answer: string }),
    publish: fields({ answer: string, stream }),
    republish: fields({ answer: string }),
    subscribe: fields({ subscriptionId: integer }),
  }),
);
