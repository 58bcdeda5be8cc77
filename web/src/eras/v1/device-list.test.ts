import { afterEach, expect, test, vi } from 'vitest';
import { detect, find } from './device-list.ts';

function computerWith(...devices: readonly [kind: string, label: string, deviceId: string][]): void {
  const infos = devices.map(([kind, label, deviceId]) => ({ kind, label, deviceId, groupId: '' }));
  vi.stubGlobal('navigator', { mediaDevices: { enumerateDevices: () => Promise.resolve(infos) } });
}

function track(deviceId: string, state: 'live' | 'ended' = 'live'): MediaStreamTrack {
  const settings = { deviceId };
  return { label: '', muted: false, readyState: state, getSettings: () => settings } as unknown as MediaStreamTrack;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

test('before the user has allowed access devices have no names of their own and an unknown status', async () => {
  computerWith(['videoinput', '', ''], ['audioinput', '', '']);
  const { cameras, microphones, selectedCamera } = await detect();
  expect(cameras).toEqual([{ name: 'Camera 1', status: 'unknown' }]);
  expect(microphones).toEqual([{ name: 'Microphone 1', status: 'unknown' }]);
  expect(selectedCamera).toBeNull();
});

test('two devices of one name can be told apart, and what is in use is selected', async () => {
  computerWith(['videoinput', 'Cam', 'a'], ['videoinput', 'Cam', 'b'], ['audioinput', 'Mic', 'm']);
  const found = await detect({ camera: track('b'), microphone: track('m', 'ended') });
  expect(found.cameras.map(({ name }) => name)).toEqual(['Cam', 'Cam (2)']);
  expect(found.selectedCamera?.name).toBe('Cam (2)');
  expect(found.microphones).toEqual([{ name: 'Mic', status: 'inactive' }]);
});

test('a device is found by its name, by an object with that name, and a camera by its side of the phone', async () => {
  computerWith(['videoinput', 'camera 1, facing front', 'f'], ['videoinput', 'camera 0, facing back', 'b']);
  const { cameras } = await detect();
  const [front, back] = cameras;
  expect(find(cameras, 'camera 0, facing back')).toBe(back);
  expect(find(cameras, { name: 'camera 1, facing front' })).toBe(front);
  expect(find(cameras, back)).toBe(back);
  expect([find(cameras, 'front'), find(cameras, 'back')]).toEqual([front, back]);
  for (const nothing of ['', 'toString', null, undefined, 7, {}, []]) expect(find(cameras, nothing)).toBeUndefined();
});

test('a page that may see no devices finds none', async () => {
  vi.stubGlobal('navigator', {});
  expect(await detect()).toMatchObject({
    cameras: [],
    microphones: [],
    selectedCamera: null,
    selectedMicrophone: null,
  });
});
