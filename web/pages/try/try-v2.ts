// The ready page of the second generation: joins the session in its address, publishes, and shows everybody.
import { factsIn, makeStage, NOTHING_TO_JOIN } from './facts.ts';

interface Handled {
  on(type: string, handler: (event: { readonly stream: unknown; readonly reason: string }) => void): void;
}

interface Session extends Handled {
  readonly capabilities: { readonly publish: number };
  connect(token: string, done: (error?: Error) => void): void;
  publish(publisher: unknown, done: (error?: Error) => void): void;
  subscribe(stream: unknown, place: string, options: object, done: (error?: Error) => void): void;
}

declare const OT: {
  initSession(key: string, session: string): Session;
  initPublisher(place: string, options: object): unknown;
};

const root = document.getElementById('app');
if (root) start(root);

function start(root: HTMLElement): void {
  const stage = makeStage(root, 'OT, version 2');
  const facts = factsIn(location.hash);
  if (!facts) {
    stage.say(NOTHING_TO_JOIN);
    return;
  }
  const session = OT.initSession(facts.key, facts.session);
  const failed = (error?: Error): void => {
    if (error) stage.say(error.message);
  };
  const looks = { insertMode: 'append', width: '100%', height: '100%' };
  session.on('streamCreated', ({ stream }) => session.subscribe(stream, 'others', looks, failed));
  session.on('sessionDisconnected', ({ reason }) => stage.say(`Disconnected: ${reason}`));
  stage.say('Connecting…');
  session.connect(facts.token, (error) => {
    if (error) return stage.say(error.message);
    stage.say('Connected');
    // A subscriber's token lets nobody publish.
    if (session.capabilities.publish) session.publish(OT.initPublisher('me', looks), failed);
  });
}
