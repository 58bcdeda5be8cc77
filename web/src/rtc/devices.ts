/** Where sound comes out, and which codecs there are. */
import { OTError } from '../errors.ts';
import { listDevices } from './capture.ts';

export interface OutputDevice {
  readonly deviceId: string | null;
  readonly label: string | null;
}

/** The loudspeakers and headphones that the browser tells of. */
export async function listOutputs(): Promise<OutputDevice[]> {
  return (await listDevices('audiooutput')).map(({ deviceId, label }) => ({ deviceId, label }));
}

/** The output with that id, or the default one; its members are null when the browser does not tell. */
export async function findOutput(deviceId: string): Promise<OutputDevice> {
  const outputs = await listOutputs();
  return (
    outputs.find((output) => output.deviceId === (deviceId || 'default')) ?? {
      deviceId: deviceId || null,
      label: null,
    }
  );
}

/** Resolves when sound may go to that output. Rejects with OT_NOT_SUPPORTED or OT_INVALID_PARAMETER. */
export async function checkOutput(deviceId: unknown): Promise<string> {
  if (!('setSinkId' in HTMLMediaElement.prototype))
    throw new OTError('OT_NOT_SUPPORTED', 'This browser cannot choose where sound comes out.');
  if (typeof deviceId !== 'string') throw new OTError('OT_INVALID_PARAMETER', 'The id of an output is a text.');
  const known = (await listOutputs()).some((output) => output.deviceId === deviceId);
  if (!known && deviceId !== '' && deviceId !== 'default')
    throw new OTError('OT_INVALID_PARAMETER', 'There is no audio output with this id.');
  return deviceId;
}

/** Sends the element's sound to that output. */
export async function routeSound(element: HTMLMediaElement, deviceId: string): Promise<void> {
  if ('setSinkId' in element) await element.setSinkId(deviceId);
}

export interface SupportedCodecs {
  readonly videoEncoders: readonly string[];
  readonly videoDecoders: readonly string[];
}

/** VP8, VP9 and H264, as far as the browser has them. Throws OT_NOT_SUPPORTED when it does not tell. */
export function supportedCodecs(): SupportedCodecs {
  const names = (capabilities: RTCRtpCapabilities | null): string[] =>
    ['VP8', 'VP9', 'H264'].filter((name) =>
      capabilities?.codecs.some(({ mimeType }) => mimeType.toUpperCase() === `VIDEO/${name}`),
    );
  if (typeof RTCRtpSender !== 'function' || !('getCapabilities' in RTCRtpSender))
    throw new OTError('OT_NOT_SUPPORTED', 'This browser does not tell which codecs it has.');
  return {
    videoEncoders: names(RTCRtpSender.getCapabilities('video')),
    videoDecoders: names(RTCRtpReceiver.getCapabilities('video')),
  };
}

/** Whether the user can share the screen from here. */
export function canShareScreen(): boolean {
  const { mediaDevices } = navigator as { mediaDevices?: MediaDevices };
  return mediaDevices !== undefined && 'getDisplayMedia' in mediaDevices;
}
