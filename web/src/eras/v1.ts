/** The first generation: pages that loaded the script from /v0.91/, /v1.1/ or /webrtc/v2.0/. */
import { fire, SessionConnectEvent, SessionDisconnectEvent, StreamEvent, type Era } from '../api/index.ts';

export const v1: Era = {
  name: 'v1',
  strictListeners: true,
  callsRemovedListeners: true,
  throwsMisuse: true,
  tellsReconnecting: false,
  tellsMuting: false,
  defaultVolume: 50,
  signalsNeedPublish: true,
  exceptionTarget: 'namespace',

  /** Everybody and everything present stands in the event's arrays, and only there. */
  connected(model, handlers) {
    fire(model.session, new SessionConnectEvent([...model.connections.values()], [...model.streams.values()]));
    handlers();
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

  /** The default takes every Subscriber and every Publisher away; prevented, all stay on the page. */
  disconnected(model, reason, _published, attached) {
    for (const publisher of attached) publisher._streamEnded();
    fire(model.session, new SessionDisconnectEvent(reason), () => {
      for (const publisher of attached) publisher._destroy(reason);
      for (const subscriber of [...model.subscribers]) subscriber._destroy(reason);
    });
  },
};
