/** The constants that only pages of the first era have. */

/** Names whose value is the camelCase of the name. */
const EVENT_NAMES = [
  'EXCEPTION',
  'ISSUE_REPORTED',
  'SESSION_CONNECTED',
  'SESSION_DISCONNECTED',
  'STREAM_CREATED',
  'STREAM_DESTROYED',
  'CONNECTION_CREATED',
  'CONNECTION_DESTROYED',
  'SIGNAL_RECEIVED',
  'STREAM_PROPERTY_CHANGED',
  'MICROPHONE_LEVEL_CHANGED',
  'ARCHIVE_CREATED',
  'ARCHIVE_CLOSED',
  'ARCHIVE_LOADED',
  'ARCHIVE_SAVED',
  'SESSION_RECORDING_STARTED',
  'SESSION_RECORDING_STOPPED',
  'SESSION_RECORDING_IN_PROGRESS',
  'STREAM_RECORDING_IN_PROGRESS',
  'SESSION_NOT_RECORDING',
  'STREAM_NOT_RECORDING',
  'STREAM_RECORDING_STARTED',
  'STREAM_RECORDING_STOPPED',
  'PLAYBACK_STARTED',
  'PLAYBACK_PAUSED',
  'PLAYBACK_STOPPED',
  'RECORDING_STARTED',
  'RECORDING_STOPPED',
  'RESIZE',
  'SETTINGS_BUTTON_CLICK',
  'DEVICE_INACTIVE',
  'INVALID_DEVICE_NAME',
  'ACCESS_ALLOWED',
  'ACCESS_DENIED',
  'ECHO_CANCELLATION_MODE_CHANGED',
  'DEVICES_DETECTED',
  'DEVICES_SELECTED',
  'CLOSE_BUTTON_CLICK',
] as const;

const IRREGULAR = {
  MICLEVEL: 'microphoneActivityLevel',
  MICGAINCHANGED: 'microphoneGainChanged',
  ACCESS_DENIED_NO_DEVICES: 'accessDeniedNoDevices',
} as const;

/** Constants beside those of both eras. */
export const V1_CONSTANTS: Readonly<Record<string, string | number>> = {
  OLD_FLASH_VERSION: 0,
  ACTIVE: 'active',
  INACTIVE: 'inactive',
  UNKNOWN: 'unknown',
  PER_SESSION: 'perSession',
  PER_STREAM: 'perStream',
  BASIC_STREAM: 'basic',
  ARCHIVED: 'archive',
  ...Object.fromEntries(EVENT_NAMES.map((name) => [name, camelCase(name)])),
  ...IRREGULAR,
};

function camelCase(name: string): string {
  return name.toLowerCase().replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
}
