import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { v1, v2 } from '../eras/index.ts';
import { errorOf, FakePage, FakeTrack } from '../testing/index.ts';
import type { AccessDeniedEvent } from './events.ts';

beforeEach(() => {
  document.body.innerHTML = '<div id="me"></div>';
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  document.body.innerHTML = '';
});

const EVENTS = [
  'accessAllowed',
  'accessDenied',
  'accessDialogOpened',
  'accessDialogClosed',
  'mediaStreamAvailable',
  'videoElementCreated',
  'loaded',
  'destroyed',
];

describe('making a Publisher', () => {
  test('tells everything to handlers that are attached right after the call, then the completion handler', async () => {
    const page = new FakePage(v2);
    const publisher = page.OT.initPublisher('me', () => page.log.push('handler'));
    page.listen(publisher, 'publisher', EVENTS);
    expect(publisher.accessAllowed).toBeUndefined();
    expect(publisher.element).toBe(document.getElementById('me'));
    await page.calm();
    expect(page.log).toEqual([
      'publisher accessAllowed',
      'publisher mediaStreamAvailable',
      'publisher videoElementCreated',
      'handler',
    ]);
    expect(publisher.accessAllowed).toBe(true);
    publisher.element?.querySelector('video')?.dispatchEvent(new Event('loadeddata'));
    await page.calm();
    expect(page.log.at(-1)).toBe('publisher loaded');
    expect(publisher.element?.classList.contains('OT_loading')).toBe(false);
  });

  test('tells of the dialog when the browser takes its time', async () => {
    const page = new FakePage(v2);
    const { getUserMedia } = navigator.mediaDevices;
    let answer = (): void => undefined;
    navigator.mediaDevices.getUserMedia = (wishes) =>
      new Promise((resolve) => {
        answer = () => {
          resolve(getUserMedia(wishes));
        };
      });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const publisher = page.OT.initPublisher('me');
    page.listen(publisher, 'publisher', EVENTS);
    vi.advanceTimersByTime(1000);
    await page.calm();
    answer();
    await page.calm();
    expect(page.log.slice(0, 3)).toEqual([
      'publisher accessDialogOpened',
      'publisher accessDialogClosed',
      'publisher accessAllowed',
    ]);
  });

  test('that is refused explains so in the element, unless prevented', async () => {
    for (const prevents of [false, true]) {
      document.body.innerHTML = '<div id="me"></div>';
      const page = new FakePage(v2);
      page.devices.refusesWith = 'NotAllowedError';
      const publisher = page.OT.initPublisher('me');
      publisher.on('accessDenied', (event: AccessDeniedEvent) => {
        expect(event.message).toMatch(/^Camera/);
        if (prevents) event.preventDefault();
      });
      await page.calm();
      expect(document.querySelectorAll('#me [role=alert]')).toHaveLength(prevents ? 0 : 1);
      expect(publisher.accessAllowed).toBe(false);
      publisher.destroy();
      expect(document.getElementById('me')).toBeNull();
    }
  });

  test('for an element that is not there is an error', async () => {
    const page = new FakePage(v2);
    expect(await errorOf(page.OT.initPublisher.promise('nowhere'))).toMatchObject({
      name: 'OT_INVALID_PARAMETER',
      code: 1011,
    });
    expect(() => new FakePage(v1).OT.initPublisher('12345', 'nowhere')).toThrow(/nowhere/);
  });

  test('with a name that is too long is an error', async () => {
    const page = new FakePage(v2);
    expect((await errorOf(page.OT.initPublisher.promise('me', { name: 'x'.repeat(1001) }))).name).toBe(
      'OT_INVALID_PARAMETER',
    );
  });

  test('takes older argument forms', async () => {
    const page = new FakePage(v1);
    const publisher = page.OT.initPublisher('12345', 'me', { name: 'Bob' });
    expect(publisher.id).toBe('me');
    await page.calm();
    expect(page.OT.APIKEY).toBe('12345');
    const second = new FakePage(v2);
    expect(second.OT.initPublisher('12345', null, {}).id).toMatch(/^OT_/);
    await second.calm();
  });

  test("with tracks of the application's own opens no device and leaves the tracks alone at the end", async () => {
    const page = new FakePage(v2);
    const video = new FakeTrack('video');
    const publisher = page.OT.initPublisher('me', { videoSource: video, audioSource: null });
    await page.calm();
    expect(page.devices.opened).toEqual([]);
    expect(publisher.getVideoSource()).toMatchObject({ type: 'custom', track: video });
    expect(publisher.getAudioSource()).toBeNull();
    expect(publisher._description()).toMatchObject({ hasAudio: false, hasVideo: true, videoType: 'custom' });
    publisher.destroy();
    expect(video.readyState).toBe('live');
  });

  test('with voice alone says so', async () => {
    const page = new FakePage(v2);
    const publisher = page.OT.initPublisher('me', { videoSource: null, name: 'Ida' });
    await page.calm();
    expect(publisher._description()).toEqual({
      name: 'Ida',
      hasAudio: true,
      hasVideo: false,
      videoDimensions: { width: 0, height: 0 },
    });
    expect(document.getElementById('me')?.classList.contains('OT_audio-only')).toBe(true);
  });

  test('that is destroyed before the browser answers stops what was opened', async () => {
    const page = new FakePage(v2);
    const done = vi.fn();
    page.OT.initPublisher('me', done).destroy();
    await page.calm();
    expect(page.devices.opened.map(({ readyState }) => readyState)).toEqual(['ended', 'ended']);
    expect(done).toHaveBeenCalledTimes(1);
  });
});

describe('the size of the picture', () => {
  test('is told as well if it was known only after the stream had been announced to the server', async () => {
    const page = await new FakePage(v2).connected();
    const video = new FakeTrack('video');
    const isAnnounced = (): boolean => page.world.socket.of('publish').length > 0;
    video.getSettings = () => (isAnnounced() ? { width: 1920, height: 1080 } : {});
    page.session.publish(page.OT.initPublisher('me', { videoSource: video, audioSource: null }));
    await page.calm();
    expect(page.world.socket.of('publish')).toMatchObject([{ videoDimensions: { width: 640, height: 480 } }]);
    expect(page.world.socket.of('updateStream')).toMatchObject([{ videoDimensions: { width: 1920, height: 1080 } }]);
  });
});

describe('muting', () => {
  test('before publishing is remembered', async () => {
    const page = await new FakePage(v2).connected();
    const publisher = page.OT.initPublisher('me', { publishAudio: false });
    expect(publisher.publishVideo(false)).toBe(publisher);
    page.session.publish(publisher);
    await page.calm();
    expect(page.world.socket.of('publish')).toMatchObject([{ hasAudio: false, hasVideo: false }]);
    expect(page.devices.opened.map(({ enabled }) => enabled)).toEqual([false, false]);
  });

  test('tells the others, shows in the element, and works by the button', async () => {
    const page = await new FakePage(v2).connected();
    const publisher = page.OT.initPublisher('me');
    page.session.publish(publisher);
    await page.calm();
    publisher.publishVideo(false);
    document.querySelector<HTMLButtonElement>('#me .OT_mute')?.click();
    expect(page.world.socket.of('updateStream')).toMatchObject([{ hasVideo: false }, { hasAudio: false }]);
    expect(document.getElementById('me')?.classList.contains('OT_audio-only')).toBe(true);
    expect(document.querySelector('#me .OT_mute')?.classList.contains('OT_active')).toBe(true);
    expect(page.devices.opened.map(({ enabled }) => enabled)).toEqual([false, false]);
    publisher.publishVideo('true');
    expect(document.getElementById('me')?.classList.contains('OT_audio-only')).toBe(false);
  });

  test('resolves by promise', async () => {
    const page = new FakePage(v2);
    const publisher = page.OT.initPublisher('me');
    expect(await publisher.publishVideo.promise(false)).toBeUndefined();
    expect(await publisher.publishAudio.promise(false)).toBeUndefined();
    expect(publisher.getAudioSource()?.enabled).toBe(false);
    expect(await publisher.destroy.promise()).toBeUndefined();
  });
});

describe('a camera that shows nothing', () => {
  async function released(): Promise<{ page: FakePage; publisher: ReturnType<FakePage['OT']['initPublisher']> }> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const page = new FakePage(v2);
    const publisher = page.OT.initPublisher('me');
    await page.calm();
    publisher.publishVideo(false);
    vi.advanceTimersByTime(5_000);
    return { page, publisher };
  }

  test('is let go after a while, and opened again when it is wanted', async () => {
    const { page, publisher } = await released();
    expect(page.devices.opened[1]?.readyState).toBe('ended');
    await publisher.publishVideo.promise(true);
    expect(page.devices.opened[2]).toMatchObject({ kind: 'video', readyState: 'live', enabled: true });
    expect(publisher.getVideoSource().track).toBe(page.devices.opened[2]);
  });

  test('that is gone meanwhile is told to the handler, and the picture stays off', async () => {
    const { page, publisher } = await released();
    page.devices.refusesWith = 'NotReadableError';
    const error = await errorOf(publisher.publishVideo.promise(true));
    expect(error.name).toBe('OT_HARDWARE_UNAVAILABLE');
    expect(document.getElementById('me')?.classList.contains('OT_audio-only')).toBe(true);
    page.devices.refusesWith = null;
    await publisher.publishVideo.promise(true);
    expect(document.getElementById('me')?.classList.contains('OT_audio-only')).toBe(false);
  });

  test('is kept for a change of mind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const page = new FakePage(v2);
    const publisher = page.OT.initPublisher('me');
    await page.calm();
    publisher.publishVideo(false);
    vi.advanceTimersByTime(4_900);
    publisher.publishVideo(true);
    vi.advanceTimersByTime(10_000);
    expect(page.devices.opened.map(({ readyState }) => readyState)).toEqual(['live', 'live']);
  });
});

test('style and picture', async () => {
  const page = new FakePage(v2);
  const publisher = page.OT.initPublisher('me', { style: { nameDisplayMode: 'on' } });
  expect(publisher.getStyle('nameDisplayMode')).toBe('on');
  expect(publisher.setStyle('buttonDisplayMode', 'off')).toBe(publisher);
  expect(publisher.setStyle({ nameDisplayMode: 'nonsense' }).getStyle()).toMatchObject({
    nameDisplayMode: 'on',
    buttonDisplayMode: 'off',
  });
  expect(publisher.getImgData()).toBeNull();
  await page.calm();
});
