/** Devices, codecs and what the browser can do. */

/** A camera or a microphone. The label is empty until access was granted. */
export interface Device {
  readonly kind: 'audioInput' | 'videoInput';
  readonly deviceId: string;
  readonly label: string;
}

/** A loudspeaker or a headphone; members are null where the browser does not tell. */
export interface AudioOutputDevice {
  readonly deviceId: string | null;
  readonly label: string | null;
}

export type VideoCodec = 'VP8' | 'VP9' | 'H264';

export interface SupportedCodecs {
  readonly videoEncoders: readonly string[];
  readonly videoDecoders: readonly string[];
}

/** No browser needs an extension any more, so those members are undefined. */
export interface ScreenSharingCapabilityResponse {
  readonly supported: boolean;
  readonly supportedSources: { readonly screen?: boolean; readonly window?: boolean; readonly application?: boolean };
  readonly extensionRequired: undefined;
  readonly extensionRegistered: undefined;
  readonly extensionInstalled: undefined;
}
