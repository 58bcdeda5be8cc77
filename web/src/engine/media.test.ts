import { beforeEach, describe, expect, test } from 'vitest';
import { OTError } from '../errors.ts';
import { LEVELS, setLevel } from '../logger.ts';
import { fakePeers, type FakePeer } from '../rtc/fake-peer.ts';
import { errorOf, stream } from '../testing/index.ts';
import type { AnyRequest, RequestOf, RequestType, ResultOf, StreamDescription } from '../wire/index.ts';
import { Media, type Publication } from './media.ts';

const PUBLICATION: Publication = { tracks: () => ({ audio: {} as MediaStreamTrack, video: {} as MediaStreamTrack }) };
const DESCRIPTION: StreamDescription = {
  name: 'me',
  hasAudio: true,
  hasVideo: true,
  videoDimensions: { width: 640, height: 480 },
};

setLevel(LEVELS.NONE);

interface Asked {
  readonly body: AnyRequest & { readonly epoch: number };
  answer(result: object): Promise<void>;
  refuse(error: OTError): Promise<void>;
}

let media: Media;
let made: FakePeer[];
let asked: Asked[];
let later: (() => void)[];
let log: string[];
let signallingAlive: boolean;

/** Lets every promise that can settle settle. */
async function turn(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await Promise.resolve();
}

beforeEach(() => {
  const peers = fakePeers();
  made = peers.made;
  asked = [];
  later = [];
  log = [];
  signallingAlive = true;
  media = new Media({
    makePeer: peers.make,
    request: <T extends RequestType>(body: RequestOf<T>) =>
      new Promise<ResultOf<T>>((resolve, reject) => {
        asked.push({
          body: body as unknown as Asked['body'],
          answer: async (result) => {
            resolve(result as ResultOf<T>);
            await turn();
          },
          refuse: async (error) => {
            reject(error);
            await turn();
          },
        });
      }),
    now: () => 0,
    after: (_milliseconds, run) => later.push(run),
    probe: () => Promise.resolve(signallingAlive),
    retryDelayMs: () => 0,
    onFlow: (flows) => log.push(flows ? 'flows' : 'stops'),
    onReplaced: () => log.push('replaced'),
    onStandstill: (epoch, slot) => log.push(`still ${String(epoch)}/${String(slot)}`),
  });
});

async function begin(receives = true): Promise<FakePeer> {
  media.begin({ configuration: {}, receives });
  await turn();
  return peer(0);
}

function peer(index: number): FakePeer {
  const found = made[index];
  if (found === undefined) throw new Error(`no peer ${index}`);
  return found;
}

function request(index: number): Asked {
  const found = asked[index];
  if (found === undefined) throw new Error(`no request ${index}, only ${asked.map(({ body }) => body.type).join()}`);
  return found;
}

const publish = (): Promise<unknown> =>
  media.publish(PUBLICATION, DESCRIPTION, ({ id }) => log.push(`registered ${id}`));

describe('the first offer', () => {
  test('is made at once and holds two slot pairs', async () => {
    const first = await begin();
    expect(first.log).toEqual(['offer']);
    expect(request(0).body).toEqual({
      type: 'negotiate',
      epoch: 1,
      offer: 'audio recvonly, video recvonly, audio recvonly, video recvonly',
      slots: [
        { slot: 0, audioMid: '0', videoMid: '1' },
        { slot: 1, audioMid: '2', videoMid: '3' },
      ],
    });
    await request(0).answer({ answer: 'A' });
    expect(first.log).toEqual(['offer', 'accept A']);
  });

  test('of a client that may not subscribe is that of its first stream', async () => {
    await begin(false);
    expect(asked).toHaveLength(0);
    void publish();
    await turn();
    expect(request(0).body).toMatchObject({ type: 'publish', slots: [], audioMid: '0', videoMid: '1' });
  });
});

describe('publishing', () => {
  test('names the lines of its own offer, and waits for the offer before', async () => {
    const first = await begin();
    const published = publish();
    await turn();
    expect(asked).toHaveLength(1);
    await request(0).answer({ answer: 'A' });
    expect(request(1).body).toMatchObject({
      type: 'publish',
      epoch: 1,
      audioMid: '4',
      videoMid: '5',
      slots: [],
      name: 'me',
    });
    await request(1).answer({ answer: 'B', stream: stream('mine', 'bob') });
    expect(log).toEqual(['registered mine']);
    first.become('connected');
    expect(await published).toMatchObject({ id: 'mine' });
  });

  test('that is refused takes the offer back, and its lines are used by the next', async () => {
    const first = await begin();
    await request(0).answer({ answer: 'A' });
    const refused = publish();
    await turn();
    await request(1).refuse(new OTError('OT_PERMISSION_DENIED', 'no'));
    expect((await errorOf(refused)).name).toBe('OT_PERMISSION_DENIED');
    expect(first.log.at(-1)).toBe('withdraw');
    void publish();
    await turn();
    expect(request(2).body).toMatchObject({ audioMid: '4', videoMid: '5' });
  });

  test('again uses the lines of a stream that has ended', async () => {
    await begin(false);
    const first = publish();
    await turn();
    await request(0).answer({ answer: 'A', stream: stream('one', 'bob') });
    peer(0).become('connected');
    await first;
    media.unpublish(PUBLICATION);
    expect(peer(0).lines.map(({ direction }) => direction)).toEqual(['inactive', 'inactive']);
    void publish();
    await turn();
    expect(request(1).body).toMatchObject({ audioMid: '0', videoMid: '1' });
  });

  test('fails when no media path comes about', async () => {
    await begin(false);
    const published = publish();
    await turn();
    await request(0).answer({ answer: 'A', stream: stream('mine', 'bob') });
    for (const run of later.splice(0)) run();
    expect((await errorOf(published)).name).toBe('OT_ICE_WORKFLOW_FAILED');
  });

  test('fails when the client leaves meanwhile', async () => {
    await begin(false);
    const published = publish();
    await turn();
    await request(0).answer({ answer: 'A', stream: stream('mine', 'bob') });
    media.end();
    expect((await errorOf(published)).name).toBe('OT_NOT_CONNECTED');
  });
});

describe('the pool of slot pairs', () => {
  test('grows to the next size when the server asks, and never shrinks', async () => {
    const first = await begin();
    await request(0).answer({ answer: 'A' });
    media.slotsNeeded(3);
    media.slotsNeeded(2);
    media.slotsNeeded(4);
    await turn();
    expect(first.slotCount).toBe(4);
    expect(request(1).body).toMatchObject({
      type: 'negotiate',
      slots: [
        { slot: 2, audioMid: '4' },
        { slot: 3, audioMid: '6' },
      ],
    });
    expect(asked).toHaveLength(2);
    await request(1).answer({ answer: 'B' });
    media.slotsNeeded(9);
    await turn();
    expect(first.slotCount).toBe(16);
    await request(2).answer({ answer: 'C' });
    media.slotsNeeded(1000);
    await turn();
    expect(first.slotCount).toBe(56);
  });
});

describe('bindings', () => {
  const binding = { subscriptionId: 1, epoch: 1, slot: 0, generation: 1, audioRtpTimestamp: 11, videoRtpTimestamp: 22 };

  test('of a pair that was never bound need not wait, later ones do', async () => {
    await begin();
    await request(0).answer({ answer: 'A' });
    expect(media.media(binding)).toMatchObject({ audioFrom: null, videoFrom: null });
    expect(media.media({ ...binding, generation: 2 })).toMatchObject({ audioFrom: 11, videoFrom: 22 });
    expect(media.media({ ...binding, slot: 9 })).toBeNull();
  });

  test('of the transport before are ignored, those of the new one hold', async () => {
    await begin();
    await request(0).answer({ answer: 'A' });
    media.mediaFailed(1);
    await turn();
    expect(media.media(binding)).toBeNull();
    await request(1).answer({ answer: 'B' });
    expect(media.media(binding)).toBeNull();
    expect(media.media({ ...binding, epoch: 2 })).not.toBeNull();
  });

  test('may come before the answer, which a resumed client has to ask for again', async () => {
    await begin();
    await request(0).answer({ answer: 'A' });
    media.mediaFailed(1);
    await turn();
    expect(media.media({ ...binding, epoch: 2 })).not.toBeNull();
  });
});

/** What waits, after a peer was replaced, for the next to take its place; the watch of the new path was set after it. */
function patience(): (() => void) | undefined {
  return later.at(-2);
}

describe('a transport that ends', () => {
  async function publishing(): Promise<void> {
    await begin();
    await request(0).answer({ answer: 'A' });
    void publish();
    await turn();
    await request(1).answer({ answer: 'B', stream: stream('mine', 'bob') });
    peer(0).become('connected');
  }

  test('is replaced under the next epoch, slot pairs and streams included', async () => {
    await publishing();
    media.mediaFailed(1);
    await turn();
    expect(peer(0).closed).toBe(true);
    expect(request(2).body).toMatchObject({ type: 'negotiate', epoch: 2, slots: [{ slot: 0 }, { slot: 1 }] });
    await request(2).answer({ answer: 'C' });
    expect(request(3).body).toMatchObject({
      type: 'republish',
      epoch: 2,
      streamId: 'mine',
      audioMid: '4',
      videoMid: '5',
    });
    expect(log).toEqual(['registered mine', 'flows', 'replaced']);
  });

  test('stops the flow only when the next one has not taken its place in time', async () => {
    await publishing();
    media.mediaFailed(1);
    const first = patience();
    peer(1).become('connected');
    first?.();
    expect(log).toEqual(['registered mine', 'flows', 'replaced']);
    media.mediaFailed(2);
    patience()?.();
    expect(log.slice(3)).toEqual(['replaced', 'stops']);
    peer(2).become('connected');
    expect(log.at(-1)).toBe('flows');
  });

  test('and is followed by others that end as well stops the flow after the first patience', async () => {
    await publishing();
    media.mediaFailed(1);
    const first = patience();
    media.mediaFailed(2);
    first?.();
    expect(log.at(-1)).toBe('stops');
  });

  test('is replaced once, however often it is said', async () => {
    await publishing();
    media.mediaFailed(1);
    media.mediaFailed(1);
    peer(0).become('failed');
    expect(made).toHaveLength(2);
  });

  test('by ICE failure is replaced after a pause', async () => {
    await publishing();
    peer(0).become('failed');
    expect(made).toHaveLength(1);
    later.at(-1)?.();
    expect(made).toHaveLength(2);
  });

  test('is negotiated again after a pause when the server could not answer', async () => {
    await publishing();
    media.mediaFailed(1);
    await turn();
    await request(2).refuse(new OTError('OT_INTERNAL_ERROR', 'no router'));
    expect(asked).toHaveLength(4);
    expect(request(3).body).toMatchObject({ type: 'republish', epoch: 2 });
    await request(3).refuse(new OTError('OT_INTERNAL_ERROR', 'no router'));
    for (const run of later.splice(0)) run();
    await turn();
    expect(request(4).body).toMatchObject({ type: 'negotiate', epoch: 2, slots: [{ slot: 0 }, { slot: 1 }] });
    await request(4).answer({ answer: 'C' });
    expect(request(5).body).toMatchObject({
      type: 'republish',
      epoch: 2,
      streamId: 'mine',
      audioMid: '4',
      videoMid: '5',
    });
  });

  test('that is only interrupted gets an ICE restart of the same epoch', async () => {
    await publishing();
    peer(0).become('interrupted');
    await turn();
    expect(peer(0).log.slice(-2)).toEqual(['restartIce', 'offer']);
    expect(request(2).body).toMatchObject({ type: 'negotiate', epoch: 1, slots: [] });
    expect(log).toEqual(['registered mine', 'flows']);
  });

  test('together with the signalling is restarted when that is back, and not before', async () => {
    await publishing();
    signallingAlive = false;
    peer(0).become('interrupted');
    await turn();
    media.interrupted();
    expect(asked).toHaveLength(2);
    expect(media.resumed(1)).toBe(true);
    await turn();
    expect(request(2).body).toMatchObject({ type: 'negotiate', epoch: 1, slots: [] });
  });

  test('by ICE failure while the signalling is away is replaced once that is back', async () => {
    await publishing();
    media.interrupted();
    peer(0).become('failed');
    for (const run of later.splice(0)) run();
    await turn();
    expect(made).toHaveLength(1);
    expect(media.resumed(1)).toBe(false);
    expect(made).toHaveLength(2);
  });

  test('and could not be negotiated before the signalling went away is negotiated when that is back', async () => {
    await publishing();
    media.slotsNeeded(4);
    await turn();
    await request(2).refuse(new OTError('OT_INTERNAL_ERROR', 'no router'));
    media.interrupted();
    for (const run of later.splice(0)) run();
    await turn();
    expect(asked).toHaveLength(3);
    media.resumed(1);
    await turn();
    expect(request(3).body).toMatchObject({ type: 'negotiate', epoch: 1, slots: [{ slot: 2 }, { slot: 3 }] });
  });

  test('while a stream is being published on it does not lose the stream', async () => {
    await begin();
    await request(0).answer({ answer: 'A' });
    const published = publish();
    await turn();
    media.mediaFailed(1);
    await turn();
    await request(1).answer({ answer: 'late', stream: stream('mine', 'bob') });
    expect(log).toContain('registered mine');
    await request(2).answer({ answer: 'C' });
    expect(request(3).body).toMatchObject({ type: 'republish', epoch: 2, streamId: 'mine' });
    await request(3).answer({ answer: 'D' });
    peer(1).become('connected');
    expect(await published).toMatchObject({ id: 'mine' });
  });

  test('before the request was answered with an error is published on the next', async () => {
    await begin(false);
    const published = publish();
    await turn();
    media.mediaFailed(1);
    await turn();
    await request(0).refuse(new OTError('OT_INVALID_PARAMETER', 'no such epoch'));
    expect(request(1).body).toMatchObject({ type: 'publish', epoch: 2 });
    await request(1).answer({ answer: 'A', stream: stream('mine', 'bob') });
    peer(1).become('connected');
    await published;
  });
});

describe('after a resume', () => {
  test('a transport that the server does not hold any more is replaced', async () => {
    await begin();
    await request(0).answer({ answer: 'A' });
    expect(media.resumed(1)).toBe(true);
    expect(media.resumed(0)).toBe(false);
    expect(made).toHaveLength(2);
  });

  test('an offer that was not answered yet keeps its transport', async () => {
    await begin();
    expect(media.resumed(0)).toBe(true);
    expect(made).toHaveLength(1);
  });
});
