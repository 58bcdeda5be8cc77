import { afterEach, describe, expect, test, vi } from 'vitest';
import { eraOf, FIRST_ERA, v1, v2 } from '../eras/index.ts';
import { errorOf, FakePage } from '../testing/index.ts';
import { Page } from './page.ts';
import { FakeWorld } from '../testing/index.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  document.head.innerHTML = '';
  document.body.innerHTML = '';
});

describe('the era of a script address', () => {
  test.each([
    ['/v0.91/js/TB.min.js', FIRST_ERA['0.91']],
    ['/v1.0/js/TB.min.js', v1],
    ['/v1.1/js/TB.min.js', v1],
    ['/webrtc/v2.0/js/TB.min.js', FIRST_ERA['2.0']],
    ['/webrtc/v2.2/js/TB.min.js', v2],
    ['/webrtc/v2.2/js/opentok.min.js', v2],
    ['/v2/js/opentok.js', v2],
    ['/v2/js/opentok.min.js', v2],
    ['/elsewhere/tertulia.js', v2],
  ])('%s', (path, era) => {
    expect(eraOf(path)).toBe(era);
  });
});

describe('the server', () => {
  test.each([
    ['https://media.example.org', 'wss://media.example.org/signalling'],
    ['http://localhost:8080', 'ws://localhost:8080/signalling'],
    ['https://example.org/live/', 'wss://example.org/live/signalling'],
    ['https://example.org/live', 'wss://example.org/live/signalling'],
  ])('%s is spoken to at %s', (server, socket) => {
    expect(new Page(v2, new FakeWorld(), server).signallingUrl()).toBe(socket);
  });

  test('is named by a meta element when the script does not come from it', () => {
    const page = new Page(v2, new FakeWorld(), null);
    expect(page.signallingUrl()).toBeNull();
    document.head.innerHTML = '<meta name="tertulia-server" content="https://example.org">';
    expect(page.signallingUrl()).toBe('wss://example.org/signalling');
  });

  test('is set by hand', async () => {
    const page = new FakePage(v2);
    page.OT.setServerUrl('http://localhost:9000');
    await page.connected();
    expect(page.world.socket.url).toBe('ws://localhost:9000/signalling');
  });

  test('that nobody named is an error with the remedy', async () => {
    const page = new FakePage(v2);
    page.OT.setServerUrl('');
    const error = await errorOf(page.session.connect.promise('token'));
    expect(error).toMatchObject({ name: 'OT_CONNECT_FAILED', code: 1006 });
    expect(error.message).toMatch(/setServerUrl/);
  });
});

const MEMBERS = {
  namespace:
    'initSession initPublisher checkSystemRequirements upgradeSystemRequirements getDevices getAudioOutputDevices getActiveAudioOutputDevice setAudioOutputDevice getUserMedia getSupportedCodecs checkScreenSharingCapability registerScreenSharingExtension hasMediaProcessorSupport hasEndToEndEncryptionSupport setProxyUrl unblockAudio setLogLevel log reportIssue on once off addEventListener removeEventListener dispatchEvent trigger',
  session:
    'connect disconnect publish unpublish subscribe unsubscribe signal forceDisconnect forceUnpublish forceMuteStream forceMuteAll disableForceMute getPublisherForStream getSubscribersForStream setEncryptionSecret setIceConfig isConnected is on once off',
  publisher:
    'destroy publishAudio publishVideo publishCaptions cycleVideo setVideoSource getVideoSource setAudioSource getAudioSource getImgData getStyle setStyle videoWidth videoHeight getStats getRtcStatsReport getVideoContentHint setVideoContentHint setPreferredResolution setPreferredFrameRate setMaxVideoBitrate getMaxVideoBitrate setVideoBitratePreset getVideoBitratePreset setTargetScalabilityMode getTargetScalabilityMode applyVideoFilter getVideoFilter clearVideoFilter applyAudioFilter getAudioFilter clearAudioFilter setVideoMediaProcessorConnector setAudioMediaProcessorConnector',
};

describe('every member of the API', () => {
  test('is there', () => {
    const page = new FakePage(v2);
    const publisher = page.OT.initPublisher();
    for (const [owner, target] of [
      ['namespace', page.OT],
      ['session', page.session],
      ['publisher', publisher],
    ] as const) {
      for (const name of MEMBERS[owner].split(' '))
        expect(typeof (target as unknown as Record<string, unknown>)[name], `${owner}.${name}`).toBe('function');
    }
  });

  test('of the first era is there in the first era', async () => {
    const { OT, session } = new FakePage(v1);
    const TB = OT as unknown as Record<string, unknown>;
    expect(TB).toMatchObject({
      SESSION_CONNECTED: 'sessionConnected',
      MICLEVEL: 'microphoneActivityLevel',
      ACTIVE: 'active',
      PER_SESSION: 'perSession',
      LOG: 4,
      DEBUG: 5,
      HAS_REQUIREMENTS: 1,
    });
    const devices = OT as unknown as { initDeviceManager(key: string): unknown };
    expect(devices.initDeviceManager('12345')).toBe(devices.initDeviceManager('12345'));
    expect(() => (session as unknown as { getStateManager(): void }).getStateManager()).toThrow(/not connected/);
    const publisher = OT.initPublisher('12345') as unknown as { enableMicrophone(): unknown };
    expect(publisher.enableMicrophone()).toBe(publisher);
    await Promise.resolve();
  });

  test('constants of the first era are not in the second', () => {
    expect('SESSION_CONNECTED' in new FakePage(v2).OT).toBe(false);
  });
});

describe('exception', () => {
  test.each([
    [v1, 'namespace'],
    [v2, 'session'],
  ] as const)('names the object concerned ($name)', async (era, target) => {
    const page = await new FakePage(era).connected();
    page.server.refusals.set('forceDisconnect', {
      name: 'OT_PERMISSION_DENIED',
      code: 1520,
      message: 'Only a moderator may.',
    });
    const told = vi.fn();
    page.OT.on('exception', told);
    void page.session.forceDisconnect('ann');
    await page.calm();
    expect(told).toHaveBeenCalledWith(
      expect.objectContaining({
        type: 'exception',
        code: 1520,
        title: target === 'namespace' ? 'Unable to Force Disconnect' : 'Unable to force disconnect',
        message: 'Only a moderator may.',
        component: page.session,
        target: target === 'namespace' ? page.OT : page.session,
        cancelable: false,
      }),
    );
  });
});

test('errors are errors', async () => {
  const page = new FakePage(v2);
  const error = await errorOf(page.session.signal());
  expect(error).toBeInstanceOf(Error);
  expect(error).toBeInstanceOf(page.OT.Error);
  expect(error).toMatchObject({ name: 'OT_NOT_CONNECTED', code: 1010 });
});

test('collections are looked through', async () => {
  const page = await new FakePage(v2).connected();
  const publisher = page.OT.initPublisher();
  expect(page.OT.sessions.find()).toBe(page.session);
  expect(page.OT.sessions.length()).toBe(1);
  expect(page.OT.publishers.where({ id: publisher.id ?? '' })).toEqual([publisher]);
  const seen: string[] = [];
  (page.session.connections as { forEach(visit: (connection: { id: string }) => void): void }).forEach(({ id }) =>
    seen.push(id),
  );
  expect(seen).toEqual(['ann', 'bob']);
  publisher.destroy();
  expect(page.OT.publishers.find()).toBeUndefined();
});

test("an object can be given the emitter's methods", async () => {
  const page = new FakePage(v2);
  const object = {} as { on(type: string, handler: () => void): unknown; trigger(type: string): unknown };
  page.OT.$.eventing(object);
  const told = vi.fn();
  expect(object.on('a', told)).toBe(object);
  object.trigger('a');
  await page.calm();
  expect(told).toHaveBeenCalledTimes(1);
});

test('a browser without WebRTC is told so over the page', () => {
  const page = new FakePage(v2);
  vi.stubGlobal('RTCPeerConnection', undefined);
  expect(page.OT.checkSystemRequirements()).toBe(0);
  page.OT.initSession('1', '2_x');
  page.OT.upgradeSystemRequirements();
  expect(document.querySelectorAll('[role=alertdialog]')).toHaveLength(1);
  document.querySelector<HTMLButtonElement>('[role=alertdialog] button')?.click();
  expect(document.querySelector('[role=alertdialog]')).toBeNull();
});
