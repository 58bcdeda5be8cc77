// The ready page of the first generation: joins the session in its address, publishes, and shows everybody.
import { factsIn, makeStage, NOTHING_TO_JOIN } from './facts.ts';

interface Stream {
  readonly streamId: string;
  readonly connection: { readonly connectionId: string };
}

interface Event {
  readonly streams: readonly Stream[];
  readonly reason: string;
  readonly message: string;
}

interface Session {
  readonly connection: { readonly connectionId: string };
  readonly capabilities: { readonly publish: number };
  addEventListener(type: string, handler: (event: Event) => void): void;
  connect(key: string, token: string): void;
  publish(place: string, properties: object): void;
  subscribe(stream: Stream, place: string, properties: object): void;
}

declare const TB: {
  initSession(session: string): Session;
  addEventListener(type: string, handler: (event: Event) => void): void;
};

const root = document.getElementById('app');
if (root) start(root);

function start(root: HTMLElement): void {
  const stage = makeStage(root, 'TB, version 1');
  const facts = factsIn(location.hash);
  if (!facts) {
    stage.say(NOTHING_TO_JOIN);
    return;
  }
  const session = TB.initSession(facts.session);
  const size = { width: 320, height: 240 };
  const watch = (streams: readonly Stream[]): void => {
    for (const stream of streams) {
      // In this generation one's own streams are told of as well.
      if (stream.connection.connectionId === session.connection.connectionId) continue;
      const place = document.createElement('div');
      place.id = `stream-${stream.streamId}`;
      stage.others.append(place);
      session.subscribe(stream, place.id, size);
    }
  };
  TB.addEventListener('exception', ({ message }) => stage.say(message));
  session.addEventListener('sessionConnected', ({ streams }) => {
    stage.say('Connected');
    watch(streams);
    if (session.capabilities.publish) {
      // The page's own element is replaced by the publisher's.
      session.publish('me', size);
    }
  });
  session.addEventListener('streamCreated', ({ streams }) => watch(streams));
  session.addEventListener('sessionDisconnected', ({ reason }) => stage.say(`Disconnected: ${reason}`));
  stage.say('Connecting…');
  session.connect(facts.key, facts.token);
}
