/** The second generation: pages that loaded the script from /webrtc/v2.2/ or /v2/, and the npm package. */
import {
  afterwards,
  ArchiveEvent,
  Capabilities,
  Connection,
  ConnectionEvent,
  DestroyedEvent,
  fire,
  MuteForcedEvent,
  Namespace,
  Publisher,
  queueEvent,
  Session,
  SessionConnectEvent,
  SessionDisconnectEvent,
  Stream,
  StreamEvent,
  Subscriber,
  type Era,
} from '../api/index.ts';
import { newElementId } from '../dom/index.ts';
import { titleOf } from '../errors.ts';
import type { Reason } from '../wire/index.ts';

export const v2: Era = {
  name: 'v2',
  makes: {
    namespace: (page) => new Namespace(page),
    session: (page, apiKey, sessionId, options) => new Session(page, apiKey, sessionId, options),
    publisher: (page, target, properties, done) => new Publisher(page, target, properties, done),
    subscriber: (model, stream, target, properties, done) => new Subscriber(model, stream, target, properties, done),
    stream: (connection, wire) => new Stream(v2, connection, wire),
    connection: (wire) => new Connection(wire),
    capabilities: (wire) => new Capabilities(wire),
  },
  strictListeners: false,
  movesRepeatedListeners: false,
  callsRemovedListeners: false,
  listenerThis: undefined,
  throwsMisuse: false,
  tellsReconnecting: true,
  tellsMuting: true,
  tellsArchives: true,
  cancelable: { accessAllowed: false, accessDialogOpened: true },
  sendsLayers: true,
  defaultVolume: 100,
  signalsNeedPublish: false,
  exceptionTarget: 'component',

  exception: (error) => ({ code: error.code, title: titleOf(error) }),

  streamChanged() {
    // nothing more
  },

  elementWithId: (id) => document.getElementById(id) ?? undefined,
  newElementId,

  saidBy: (data) => data,

  /** `signal` and `signal:<type>` are all. */
  signalled() {
    // nothing more
  },

  destroyed(view, reason) {
    queueEvent(view, new DestroyedEvent(reason));
  },

  /** One event each for everybody, the own connection first, and for every stream of the others. */
  connected(model, handlers) {
    const own = model.connection;
    const connections = [...model.connections.values()];
    const streams = [...model.streams.values()];
    fire(model.session, new SessionConnectEvent([], []));
    afterwards(handlers);
    if (own !== null) fire(model.session, new ConnectionEvent('connectionCreated', own));
    for (const connection of connections) {
      if (connection !== own) fire(model.session, new ConnectionEvent('connectionCreated', connection));
    }
    for (const stream of streams) fire(model.session, new StreamEvent('streamCreated', stream));
    for (const { id, name } of model.archives.values())
      fire(model.session, new ArchiveEvent('archiveStarted', id, name));
    if (model.muted) fire(model.session, new MuteForcedEvent(true));
  },

  ownStreamCreated(_model, publisher, stream) {
    fire(publisher, new StreamEvent('streamCreated', stream));
  },

  /** Told on the Publisher alone; its own Subscribers of the stream go in any case. */
  ownStreamDestroyed(model, publisher, stream, reason) {
    endPublisher(publisher, stream, reason);
    afterwards(() => {
      model.destroySubscribersOf(stream.streamId, reason);
    });
  },

  /** Publishers fall by their own streamDestroyed, prevented or not; the default takes the Subscribers away. */
  disconnected(model, reason, published) {
    const event = new SessionDisconnectEvent(reason);
    fire(model.session, event);
    for (const [publisher, stream] of published) endPublisher(publisher, stream, reason);
    afterwards(() => {
      if (event.isDefaultPrevented()) return;
      for (const subscriber of [...model.subscribers]) subscriber._destroy(reason);
    });
  },
};

function endPublisher(publisher: Publisher, stream: Stream, reason: Reason): void {
  const event = new StreamEvent('streamDestroyed', stream, reason);
  fire(publisher, event);
  afterwards(() => {
    publisher._streamEnded();
    if (!event.isDefaultPrevented()) publisher._destroy(reason);
  });
}
