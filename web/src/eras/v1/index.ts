/** The first generation: pages that loaded the script from /v0.91/, /v1.0/, /v1.1/ or /webrtc/v2.0/. */
import {
  afterwards,
  DestroyedEvent,
  Emitter,
  fire,
  queueEvent,
  queueJob,
  SessionConnectEvent,
  SessionDisconnectEvent,
  SignalEvent,
  StreamEvent,
  StreamPropertyChangedEvent,
  Subscriber,
  type Era,
} from '../../api/index.ts';
import { BUILDS, type Build } from './build.ts';
import { freeElement, numberedId } from './element.ts';
import { exception } from './exceptions.ts';
import { NamespaceV1 } from './namespace.ts';
import { PublisherV1 } from './publisher.ts';
import { SessionV1 } from './session.ts';
import { saidBy } from './signals.ts';
import { SubscriberV1 } from './subscriber.ts';
import { CapabilitiesV1, ConnectionV1, StreamV1 } from './values.ts';

function era(build: Build): Era {
  const v1: Era = {
    name: 'v1',
    makes: {
      namespace: (page) => new NamespaceV1(page, build),
      session: (page, apiKey, sessionId, options) => new SessionV1(page, apiKey, sessionId, options),
      publisher: (page, target, properties) => new PublisherV1(page, target, properties),
      subscriber: (model, stream, target, properties, done) =>
        new SubscriberV1(model, stream, target, properties, done),
      stream: (connection, wire) => new StreamV1(v1, connection, wire),
      connection: (wire) => new ConnectionV1(wire),
      capabilities: (wire) => new CapabilitiesV1(wire),
    },
    strictListeners: true,
    movesRepeatedListeners: build.movesRepeatedListeners,
    callsRemovedListeners: true,
    listenerThis: globalThis,
    throwsMisuse: true,
    tellsReconnecting: false,
    tellsMuting: false,
    tellsArchives: false,
    cancelable: { accessAllowed: true, accessDialogOpened: false },
    sendsLayers: false,
    defaultVolume: 50,
    signalsNeedPublish: true,
    exceptionTarget: 'namespace',
    exception,

    /** Everybody and everything present stands in the event's arrays, and only there. */
    connected(model, handlers) {
      const { session, connections, streams } = model;
      const archives = session instanceof SessionV1 ? session._openArchives() : [];
      for (const stream of streams.values()) if (stream instanceof StreamV1) stream.takeQuality();
      if (session instanceof SessionV1) session._measured();
      fire(session, new SessionConnectEvent([...connections.values()], [...streams.values()], archives));
      afterwards(handlers);
    },

    ownStreamCreated(model, _publisher, stream) {
      fire(model.session, new StreamEvent('streamCreated', stream));
    },

    /** Told on the Session; the default takes the Publisher and the own Subscribers of the stream away. */
    ownStreamDestroyed(model, publisher, stream, reason) {
      publisher._streamEnded();
      fire(model.session, new StreamEvent('streamDestroyed', stream, reason), () => {
        publisher._destroy(reason);
        model.destroySubscribersOf(stream.streamId, reason);
      });
    },

    elementWithId: freeElement,
    newElementId: (kind, streamId) => numberedId(kind === 'publisher' ? 'publisher_' : build.subscriberId(streamId)),

    /** `quality` follows whatever says how large the picture is. */
    streamChanged(model, stream) {
      if (!(stream instanceof StreamV1)) return;
      const before = stream.quality;
      if (stream.takeQuality())
        fire(model.session, new StreamPropertyChangedEvent(stream, 'quality', before, stream.quality));
    },

    saidBy,

    signalled(model, data, sender) {
      fire(model.session, new SignalEvent('signalReceived', data, sender));
    },

    destroyed(view, reason) {
      if (!build.tellsDestroyed) return;
      if (view instanceof Subscriber) queueEvent(view, new DestroyedEvent(reason));
      else
        queueJob(() => {
          Emitter.tell(view, view, 'destroyed');
        });
    },

    /** The default takes every Subscriber and every Publisher away; prevented, all stay on the page. */
    disconnected(model, reason, _published, attached) {
      for (const publisher of attached) publisher._streamEnded();
      fire(model.session, new SessionDisconnectEvent(reason), () => {
        for (const publisher of attached) publisher._destroy(reason);
        for (const subscriber of [...model.subscribers]) subscriber._destroy(reason);
      });
    },
  };
  return v1;
}

/** The eras of the first generation's builds. They differ in little. */
export const FIRST_ERA = { '0.91': era(BUILDS['0.91']), '1.1': era(BUILDS['1.1']), '2.0': era(BUILDS['2.0']) };
