import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { v1, v2 } from '../eras/index.ts';
import { errorOf, FakePage, joined, stream } from '../testing/index.ts';
import type { WireStream } from '../wire/index.ts';
import type { Subscriber } from './subscriber.ts';
import type { Stream } from './values.ts';

type FrameCallback = (now: number, frame: { rtpTimestamp: number }) => void;
let frameCallbacks: FrameCallback[];

beforeEach(() => {
  document.body.innerHTML = '<div id="them"></div>';
  frameCallbacks = [];
  Object.assign(HTMLVideoElement.prototype, {
    requestVideoFrameCallback: (callback: FrameCallback) => frameCallbacks.push(callback),
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  document.body.innerHTML = '';
});

const present = (rtpTimestamp: number): void => {
  for (const callback of frameCallbacks.splice(0)) callback(0, { rtpTimestamp });
};

const EVENTS = [
  'videoElementCreated',
  'connected',
  'disconnected',
  'destroyed',
  'loaded',
  'videoEnabled',
  'videoDisabled',
];

interface Watching {
  readonly page: FakePage;
  readonly subscriber: Subscriber;
  readonly video: HTMLVideoElement;
  bind(slot?: number, generation?: number, from?: number): void;
}

async function watching(changes: Partial<WireStream> = {}, properties: object = {}, era = v2): Promise<Watching> {
  const page = new FakePage(era);
  page.server.greeting = joined({ streams: [stream('of-ann', 'ann', changes)] });
  await page.connected();
  await page.flows();
  const subscriber = page.session.subscribe(streamOf(page), 'them', properties, () =>
    page.log.push('handler'),
  ) as Subscriber;
  page.listen(subscriber, 'subscriber', EVENTS);
  await page.calm();
  const video = document.querySelector<HTMLVideoElement>('#them video');
  if (video === null) throw new Error('no video');
  return {
    page,
    subscriber,
    video,
    bind: (slot = 0, generation = 1, from = 100) => {
      const { epoch = 1 } = page.world.socket.of('negotiate').at(-1) ?? {};
      page.server.notice({
        type: 'bound',
        binding: { subscriptionId: 1, epoch, slot, generation, audioRtpTimestamp: from, videoRtpTimestamp: from },
      });
    },
  };
}

function streamOf(page: FakePage): Stream | undefined {
  const { streams } = page.session;
  return page.era.name === 'v2' ? streams.find() : Object.values(streams as object as Record<string, Stream>)[0];
}

describe('a subscription', () => {
  test('is told in order, when its first frame is shown', async () => {
    const { page, video, subscriber, bind } = await watching();
    bind();
    await page.calm();
    expect(page.log).toEqual(['subscriber videoElementCreated']);
    expect(video.style.visibility).toBe('hidden');
    expect(subscriber.element?.classList.contains('OT_loading')).toBe(true);
    present(1);
    await page.calm();
    expect(page.log).toEqual([
      'subscriber videoElementCreated',
      'subscriber connected',
      'handler',
      'subscriber loaded',
    ]);
    expect(video.style.visibility).toBe('');
    expect(video.muted).toBe(false);
    expect(subscriber.element?.classList.contains('OT_loading')).toBe(false);
  });

  test('of a pair that carried another stream shows nothing of that', async () => {
    const { page, video, bind } = await watching();
    bind();
    present(100);
    const applications = video.srcObject as MediaStream;
    page.server.notice({ type: 'unbound', subscriptionId: 1, slot: 0, generation: 1 });
    expect(video.srcObject).toBeNull();
    expect(applications.getTracks()).toEqual([]);
    expect(video.style.visibility).toBe('hidden');
    expect(video.muted).toBe(true);
    expect(page.world.socket.of('releaseSlot')).toEqual([{ type: 'releaseSlot', slot: 0, generation: 1 }]);
    bind(0, 2, 5000);
    present(4999);
    expect(video.style.visibility).toBe('hidden');
    present(5000);
    expect(video.style.visibility).toBe('');
  });

  test('of voice alone connects without a picture, and shows initials', async () => {
    const { page, subscriber, bind } = await watching({ hasVideo: false, name: 'Ida Klein' });
    bind();
    await page.calm();
    expect(page.log).toEqual([
      'subscriber videoElementCreated',
      'subscriber connected',
      'handler',
      'subscriber loaded',
    ]);
    expect(subscriber.element?.classList.contains('OT_audio-only')).toBe(true);
    expect(subscriber.element?.querySelector('.OT_initials')?.textContent).toBe('IK');
    subscriber.destroy();
  });

  test('that the server refuses says so in the element and to the handler', async () => {
    const page = new FakePage(v2);
    page.server.greeting = joined({ streams: [stream('of-ann', 'ann')] });
    await page.connected();
    page.server.refusals.set('subscribe', { name: 'OT_STREAM_NOT_FOUND', code: 1600, message: 'gone' });
    const failed = errorOf(page.session.subscribe.promise(streamOf(page), 'them'));
    await page.calm();
    expect((await failed).name).toBe('OT_STREAM_NOT_FOUND');
    expect(page.log).toEqual(['exception 1600']);
    expect(document.querySelector('#them.OT_subscriber_error [role=alert]')).not.toBeNull();
  });

  test('without media fails after half a minute', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { page } = await watching();
    vi.advanceTimersByTime(30_000);
    await page.calm();
    expect(page.log).toContain('exception 1500');
    expect(page.log).toContain('handler');
  });

  test('is ended once by the application', async () => {
    const { page, subscriber, bind } = await watching();
    bind();
    present(100);
    await page.calm();
    page.takeLog();
    expect(page.session.unsubscribe(subscriber)).toBe(true);
    subscriber.destroy();
    await page.calm();
    expect(page.log).toEqual(['subscriber destroyed unsubscribed']);
    expect(document.getElementById('them')).toBeNull();
    expect(page.world.socket.of('unsubscribe')).toEqual([{ type: 'unsubscribe', subscriptionId: 1 }]);
  });

  test('to something that is no stream is an error', async () => {
    const page = await new FakePage(v2).connected();
    expect((await errorOf(page.session.subscribe.promise({ streamId: 'x' }))).name).toBe('OT_INVALID_PARAMETER');
    expect((await errorOf(page.session.subscribe.promise(undefined))).name).toBe('OT_INVALID_PARAMETER');
  });
});

describe('the picture', () => {
  test('goes and comes with the publisher', async () => {
    const { page, subscriber, bind } = await watching();
    bind();
    present(100);
    await page.calm();
    page.takeLog();
    const change = (hasVideo: boolean): void => {
      page.server.tell({
        type: 'streamPropertyChanged',
        streamId: 'of-ann',
        property: 'hasVideo',
        oldValue: !hasVideo,
        newValue: hasVideo,
      });
    };
    change(false);
    await page.calm();
    expect(subscriber.element?.classList.contains('OT_audio-only')).toBe(true);
    change(true);
    await page.calm();
    expect(subscriber.element?.classList.contains('OT_audio-only')).toBe(false);
    expect(page.log).toEqual([
      'session streamPropertyChanged',
      'subscriber videoDisabled publishVideo',
      'session streamPropertyChanged',
      'subscriber videoEnabled publishVideo',
    ]);
  });

  test('goes and comes as the application wishes, and stays away while another reason holds', async () => {
    const { page, subscriber, bind } = await watching();
    bind();
    present(100);
    await page.calm();
    page.takeLog();
    subscriber.subscribeToVideo(false);
    page.server.notice({ type: 'subscriptionVideo', subscriptionId: 1, enabled: false, reason: 'codecNotSupported' });
    subscriber.subscribeToVideo(true);
    page.server.notice({ type: 'subscriptionVideo', subscriptionId: 1, enabled: true, reason: 'codecChanged' });
    await page.calm();
    expect(page.log).toEqual(['subscriber videoDisabled subscribeToVideo', 'subscriber videoEnabled codecChanged']);
    expect(page.world.socket.of('updateSubscription')).toMatchObject([
      { audio: true, video: false },
      { audio: true, video: true },
    ]);
  });

  test('a warning of the router is told and shown, and so is its end', async () => {
    const { page, subscriber } = await watching();
    page.listen(subscriber, 'subscriber', ['videoDisableWarning', 'videoDisableWarningLifted']);
    page.takeLog();
    const shown = (): string | undefined =>
      subscriber.element?.querySelector('.OT_video-disabled-indicator')?.classList.value;
    page.server.notice({ type: 'subscriptionVideoWarning', subscriptionId: 1, active: true });
    await page.calm();
    expect(shown()).toContain('OT_warning');
    page.server.notice({ type: 'subscriptionVideo', subscriptionId: 1, enabled: false, reason: 'quality' });
    await page.calm();
    expect(shown()).toContain('OT_active');
    page.server.notice({ type: 'subscriptionVideo', subscriptionId: 1, enabled: true, reason: 'quality' });
    page.server.notice({ type: 'subscriptionVideoWarning', subscriptionId: 1, active: true });
    page.server.notice({ type: 'subscriptionVideoWarning', subscriptionId: 1, active: false });
    // Who resumes is told everything again.
    page.server.notice({ type: 'subscriptionVideo', subscriptionId: 1, enabled: true, reason: 'quality' });
    page.server.notice({ type: 'subscriptionVideoWarning', subscriptionId: 1, active: false });
    await page.calm();
    expect(shown()).not.toMatch(/OT_warning|OT_active/);
    expect(page.log).toEqual([
      'subscriber videoDisableWarning',
      'subscriber videoDisabled quality',
      'subscriber videoEnabled quality',
      'subscriber videoDisableWarning',
      'subscriber videoDisableWarningLifted',
    ]);
    expect(subscriber.stream?.hasVideo).toBe(true);
  });

  test('that begins later is shown from its first frame', async () => {
    const { page, video, bind } = await watching({ hasVideo: false });
    bind();
    page.server.tell({
      type: 'streamPropertyChanged',
      streamId: 'of-ann',
      property: 'hasVideo',
      oldValue: false,
      newValue: true,
    });
    await page.calm();
    expect(video.style.visibility).toBe('hidden');
    present(100);
    expect(video.style.visibility).toBe('');
  });
});

describe('the sound', () => {
  test.each([
    [v1, 0.5],
    [v2, 1],
  ] as const)('starts at the volume of the era ($name)', async (era, volume) => {
    const { video, bind } = await watching({}, {}, era);
    bind();
    expect(video.volume).toBe(volume);
  });

  test('follows volume and wish', async () => {
    const { page, subscriber, video, bind } = await watching({}, { audioVolume: 200 });
    bind();
    expect(subscriber.getAudioVolume()).toBe(100);
    expect(subscriber.setAudioVolume(30).getAudioVolume()).toBe(30);
    expect(video.volume).toBeCloseTo(0.3);
    subscriber.subscribeToAudio(false);
    expect(video.muted).toBe(true);
    document.querySelector<HTMLButtonElement>('#them .OT_mute')?.click();
    expect(video.muted).toBe(false);
    expect(page.world.socket.of('updateSubscription')).toMatchObject([{ audio: false }, { audio: true }]);
  });

  test('that the browser holds back waits for a gesture, and the picture goes on', async () => {
    const { page, subscriber, video, bind } = await watching();
    vi.spyOn(video, 'play').mockImplementation(() =>
      video.muted ? Promise.resolve() : Promise.reject(new DOMException('no', 'NotAllowedError')),
    );
    bind();
    await page.calm();
    expect(subscriber.isAudioBlocked()).toBe(true);
    expect(video.muted).toBe(true);
    vi.spyOn(video, 'play').mockResolvedValue();
    await page.OT.unblockAudio();
    expect(subscriber.isAudioBlocked()).toBe(false);
    expect(video.muted).toBe(false);
  });
});

describe('media that is interrupted', () => {
  test('is replaced under the same element and stream without a word to the application', async () => {
    const { page, subscriber, video, bind } = await watching();
    bind();
    present(100);
    await page.calm();
    page.takeLog();
    page.listen(subscriber, 'subscriber', ['mediaStreamAvailable']);
    const shown = video.srcObject as MediaStream;
    const tracks = shown.getTracks();
    page.server.notice({ type: 'mediaFailed', epoch: 1, message: 'restarted' });
    await page.calm();
    page.world.pass(2_900);
    await page.flows();
    bind(0, 1, 700);
    present(700);
    await page.calm();
    page.world.pass(10_000);
    expect(page.log).toEqual([]);
    expect(video.srcObject).toBe(shown);
    expect(shown.getTracks()).toHaveLength(tracks.length);
    expect(shown.getTracks()).not.toContain(tracks[0]);
    expect(page.world.socket.of('negotiate')).toMatchObject([{ epoch: 1 }, { epoch: 2 }]);
  });

  test('for longer is told, keeps its last picture, and is told again when it is back', async () => {
    const { page, video, bind } = await watching();
    bind();
    present(100);
    await page.calm();
    page.takeLog();
    const shown = video.srcObject;
    page.server.notice({ type: 'mediaFailed', epoch: 1, message: 'restarted' });
    await page.calm();
    page.world.pass(3_000);
    await page.calm();
    expect(page.log).toEqual(['subscriber disconnected']);
    expect(video.srcObject).toBe(shown);
    await page.flows();
    bind(0, 1, 700);
    present(700);
    await page.calm();
    expect(page.log).toEqual(['subscriber disconnected', 'subscriber connected']);
  });
});

describe('in a large session', () => {
  const carried = (page: FakePage, slot: number, subscriptionId?: number, from = 100): void => {
    const { epoch = 1 } = page.world.socket.of('negotiate').at(-1) ?? {};
    page.server.notice({
      type: 'audioSlot',
      epoch,
      slot,
      ...(subscriptionId === undefined ? {} : { subscriptionId, audioRtpTimestamp: from }),
    });
  };
  /** The receiver of a slot's audio line plays this from now on. */
  const plays = (page: FakePage, slot: number, rtpTimestamp: number, audioLevel = 0.5): void => {
    const receiver = page.world.peers.made.at(-1)?.receivers(slot)?.audio;
    if (receiver === undefined) throw new Error('no such slot');
    Object.assign(receiver, { getSynchronizationSources: () => [{ rtpTimestamp, timestamp: 1, audioLevel }] });
  };
  const audioTracks = (video: HTMLVideoElement): MediaStreamTrack[] =>
    (video.srcObject as MediaStream).getAudioTracks();
  const audioOf = (page: FakePage, slot: number): MediaStreamTrack | undefined =>
    page.world.peers.made.at(-1)?.receivers(slot)?.audio.track;

  test('the sound comes by the audio slot that carries it, silent until it is surely its own', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { page, video, bind, subscriber } = await watching();
    bind(0, 1, 100);
    present(100);
    await page.calm();
    subscriber.setAudioVolume(30);
    plays(page, 1, 4999);
    carried(page, 1, 1, 5000);
    await page.calm();
    expect(audioTracks(video)).toHaveLength(1);
    expect(audioTracks(video)[0]).toBe(audioOf(page, 1));
    expect(video.muted).toBe(true);
    plays(page, 1, 5000);
    vi.advanceTimersByTime(50);
    expect(video.muted).toBe(false);
    expect(video.volume).toBeCloseTo(0.3);
  });

  test('it comes by its own pair again when the slot carries another or nothing', async () => {
    const { page, video, bind } = await watching();
    bind();
    present(100);
    plays(page, 1, 5000);
    carried(page, 1, 1, 5000);
    await page.calm();
    expect(video.muted).toBe(false);
    carried(page, 1, 77, 9000);
    await page.calm();
    expect(audioTracks(video)[0]).toBe(audioOf(page, 0));
    carried(page, 1);
    await page.calm();
    expect(audioTracks(video)[0]).toBe(audioOf(page, 0));
  });

  test('what was said before the binding holds for it, and what is said of another peer does not', async () => {
    const { page, video, bind } = await watching();
    carried(page, 1, 1);
    page.server.notice({ type: 'audioSlot', epoch: 9, slot: 0, subscriptionId: 1, audioRtpTimestamp: 1 });
    bind();
    await page.calm();
    expect(audioTracks(video)).toHaveLength(1);
    expect(audioTracks(video)[0]).toBe(audioOf(page, 1));
  });

  test('a muted Subscriber stays muted whatever carries it', async () => {
    const { page, video, bind, subscriber } = await watching();
    bind();
    subscriber.subscribeToAudio(false);
    plays(page, 1, 5000);
    carried(page, 1, 1, 5000);
    await page.calm();
    expect(video.muted).toBe(true);
  });

  test('packets of both lines count, and those of others that the slot carried before do not', async () => {
    const { page, bind, subscriber } = await watching();
    const counts = (slot: number, packetsReceived: number): void => {
      const report = new Map([['in', { type: 'inbound-rtp', timestamp: 1, packetsReceived }]]);
      const receiver = page.world.peers.made.at(-1)?.receivers(slot)?.audio;
      if (receiver !== undefined) Object.assign(receiver, { getStats: () => Promise.resolve(report) });
    };
    counts(0, 0);
    counts(1, 1000);
    bind();
    await page.calm();
    counts(0, 50);
    carried(page, 1, 1);
    await page.calm();
    counts(1, 1007);
    expect((await subscriber.getStats()).audio?.packetsReceived).toBe(57);
    carried(page, 1);
    await page.calm();
    counts(1, 5000);
    counts(0, 53);
    expect((await subscriber.getStats()).audio?.packetsReceived).toBe(60);
  });
});
