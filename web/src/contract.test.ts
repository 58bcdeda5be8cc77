// The contract is the one truth for events and errors; these tests hold the client to it.
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import errorsYaml from '../../contract/errors.yaml?raw';
import eventsYaml from '../../contract/events.yaml?raw';
import * as events from './api/events.ts';
import { Connection, Stream } from './api/values.ts';
import { v1, v2 } from './eras/index.ts';
import * as devices from './eras/v1/device-events.ts';
import { VolumeEvent } from './eras/v1/events.ts';
import { IssueReportedEvent } from './eras/v1/issues.ts';
import { ChangeFailedEvent, StateChangedEvent } from './eras/v1/state-manager.ts';
import { ERROR_CODES, titleOf } from './errors.ts';
import { ANN, stream } from './testing/index.ts';

interface ContractEvent {
  readonly target: string | readonly string[];
  readonly class: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly default?: unknown;
  readonly eras?: readonly string[];
}

interface ContractError {
  readonly name: string;
  readonly wire_name?: string;
  readonly code: number;
  readonly title: string;
}

const contractEvents = Object.fromEntries(
  Object.entries((parse(eventsYaml) as { events: Record<string, ContractEvent> }).events).filter(
    ([, { eras }]) => eras?.some((era) => era !== 'python') ?? true,
  ),
);
const contractErrors = (parse(errorsYaml) as { errors: ContractError[] }).errors;

const connection = new Connection(ANN);
const ofAnn = new Stream(v2, connection, stream('s', 'ann'));
const track = {} as MediaStreamTrack;

/** One sample of each event, made as the client makes it. */
const SAMPLES: Readonly<Record<string, events.Event>> = {
  sessionConnected: new events.SessionConnectEvent([], []),
  sessionDisconnected: new events.SessionDisconnectEvent('clientDisconnected'),
  sessionReconnecting: new events.Event('sessionReconnecting'),
  sessionReconnected: new events.Event('sessionReconnected'),
  connectionCreated: new events.ConnectionEvent('connectionCreated', connection),
  connectionDestroyed: new events.ConnectionEvent('connectionDestroyed', connection, 'clientDisconnected'),
  streamCreated: new events.StreamEvent('streamCreated', ofAnn),
  streamDestroyed: new events.StreamEvent('streamDestroyed', ofAnn, 'clientDisconnected'),
  streamPropertyChanged: new events.StreamPropertyChangedEvent(ofAnn, 'hasAudio', true, false),
  muteForced: new events.MuteForcedEvent(true),
  changed: new StateChangedEvent('changed', { slide: '7' }),
  changeFailed: new ChangeFailedEvent(402, 'why', { 'a b': '7' }),
  issueReported: new IssueReportedEvent('0F1E2D3C4B5A49788695A4B3C2D1E0F9'),
  devicesDetected: new devices.DeviceStatusEvent([], [], null, null),
  devicesSelected: new devices.DeviceEvent('devicesSelected', null, null),
  deviceInactive: new devices.DeviceEvent('deviceInactive', null, null),
  invalidDeviceName: new devices.DeviceEvent('invalidDeviceName', null, null),
  echoCancellationModeChanged: new devices.DeviceEvent('echoCancellationModeChanged', null, null),
  microphoneActivityLevel: new devices.ValueEvent('microphoneActivityLevel', 5),
  microphoneGainChanged: new devices.ValueEvent('microphoneGainChanged', 5),
  settingsButtonClick: new devices.ButtonEvent('settingsButtonClick'),
  closeButtonClick: new devices.ButtonEvent('closeButtonClick'),
  recordingStarted: new events.Event('recordingStarted'),
  recordingStopped: new events.Event('recordingStopped'),
  playbackStarted: new events.Event('playbackStarted'),
  playbackStopped: new events.Event('playbackStopped'),
  signal: new events.SignalEvent('signal', 'x', connection),
  signalReceived: new events.SignalEvent('signalReceived', 'x', connection),
  microphoneLevelChanged: new VolumeEvent('microphoneLevelChanged', 's', 3),
  envLoaded: new events.Event('envLoaded'),
  exception: new events.ExceptionEvent(1004, 'title', 'message', null),
  accessAllowed: new events.Event('accessAllowed'),
  accessDenied: new events.AccessDeniedEvent('why'),
  accessDialogOpened: new events.AccessDialogOpenedEvent(),
  accessDialogClosed: new events.Event('accessDialogClosed'),
  loaded: new events.Event('loaded'),
  videoElementCreated: new events.VideoElementCreatedEvent({} as HTMLVideoElement),
  mediaStreamAvailable: new events.MediaStreamAvailableEvent({} as MediaStream),
  mediaStopped: new events.MediaStoppedEvent(track),
  connected: new events.Event('connected'),
  disconnected: new events.Event('disconnected'),
  videoDisableWarning: new events.Event('videoDisableWarning'),
  videoDisableWarningLifted: new events.Event('videoDisableWarningLifted'),
  destroyed: new events.DestroyedEvent('unsubscribed'),
  audioAcquisitionProblem: new events.Event('audioAcquisitionProblem'),
  captionReceived: new events.CaptionReceivedEvent('stream', 'words', true),
  archiveStarted: new events.ArchiveEvent('archiveStarted', 'id', 'name'),
  archiveStopped: new events.ArchiveEvent('archiveStopped', 'id', undefined),
  encryptionSecretMismatch: new events.Event('encryptionSecretMismatch'),
  encryptionSecretMatch: new events.Event('encryptionSecretMatch'),
  videoDisabled: new events.VideoEnabledChangedEvent('videoDisabled', 'quality'),
  videoEnabled: new events.VideoEnabledChangedEvent('videoEnabled', 'quality'),
};

describe('every event of the contract', () => {
  test('is known here, and no other is', () => {
    expect(Object.keys(SAMPLES).sort()).toEqual(Object.keys(contractEvents).sort());
  });

  test.each(Object.entries(contractEvents))(
    '%s has its fields and cancelability',
    (type, { fields, default: behaviour }) => {
      const sample = SAMPLES[type];
      expect(sample?.type).toBe(type);
      expect(sample?.cancelable).toBe(behaviour !== undefined);
      expect(Object.keys(sample ?? {})).toEqual(
        expect.arrayContaining(['type', 'target', 'cancelable', ...Object.keys(fields ?? {})]),
      );
    },
  );
});

test("what goes with the browser's question is cancelable as its era had it", () => {
  expect(v1.cancelable).toEqual({ accessAllowed: true, accessDialogOpened: false });
  expect(v2.cancelable).toEqual({ accessAllowed: false, accessDialogOpened: true });
});

describe('every error of the contract', () => {
  test.each(contractErrors.map((error) => [`${error.wire_name ?? error.name} ${error.code}`, error] as const))(
    '%s has its title here',
    (_name, { name, wire_name, code, title }) => {
      if (name === 'OT_SESSION_ID_FORMAT' || name === 'OT_UNKNOWN_MESSAGE') return; // told apart by their message alone
      expect(titleOf({ name: wire_name ?? name, code })).toBe(title);
    },
  );

  test('has a code here, which is one that the contract gives it', () => {
    for (const [name, code] of Object.entries(ERROR_CODES)) {
      const codes = contractErrors
        .filter((error) => (error.wire_name ?? error.name) === name)
        .map((error) => error.code);
      expect(codes, name).toContain(code);
    }
    const names = new Set(contractErrors.map(({ name, wire_name }) => wire_name ?? name));
    expect([...names].filter((name) => !(name in ERROR_CODES))).toEqual([]);
  });
});
