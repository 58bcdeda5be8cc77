/** What an application changes of a publisher's sources: other devices, filters, media processors. */
import { asOTError, OTError } from '../errors.ts';
import { checkFilter, nextCamera, type Kind, type Processor, type Sources } from '../rtc/index.ts';
import { isProcessor, isTrack } from './arguments.ts';

export class PublisherSources {
  /** `ready` resolves when there is media, and rejects with why there is none. */
  constructor(
    private readonly sources: Sources,
    private readonly hasCamera: boolean,
    private readonly ready: () => Promise<void>,
  ) {}

  /** Takes another microphone, or a track of the application's; a publisher without audio cannot gain it. */
  async setAudio(source: unknown): Promise<void> {
    await this.ready();
    if (this.sources.raw('audio') === null)
      throw new OTError('OT_NOT_SUPPORTED', 'A publisher without audio cannot gain it.');
    if (isTrack(source) && source.kind === 'audio') await this.sources.take('audio', source);
    else if (typeof source === 'string' && source !== '') await this.switchTo('audio', source, 'OT_INVALID_PARAMETER');
    else throw new OTError('OT_INVALID_PARAMETER', 'An audio source is the id of a microphone or an audio track.');
  }

  /** Takes the camera with that id. */
  async setVideo(deviceId: unknown): Promise<void> {
    if (typeof deviceId !== 'string' || deviceId === '')
      throw new OTError('OT_INVALID_VIDEO_SOURCE', 'A video source is the id of a camera.');
    await this.cameraReady();
    await this.switchTo('video', deviceId, 'OT_INVALID_VIDEO_SOURCE');
  }

  /** Takes the next camera of the list; resolves to its id. */
  async cycleVideo(): Promise<{ deviceId: string }> {
    await this.cameraReady();
    const deviceId = await nextCamera(this.sources.raw('video')?.getSettings().deviceId);
    await this.sources.switchTo('video', deviceId);
    return { deviceId };
  }

  async filter(kind: Kind, filter: unknown): Promise<void> {
    const checked = checkFilter(kind, filter);
    if (this.sources.hasProcessor(kind))
      throw new OTError('OT_NOT_SUPPORTED', 'Filters and media processors exclude each other.');
    await this.ready();
    await this.sources.filter(kind, checked);
  }

  async process(kind: Kind, connector: unknown): Promise<void> {
    if (connector !== null && !isProcessor(connector))
      throw new OTError('OT_INVALID_PARAMETER', 'A connector has the methods setTrack and destroy.');
    if (connector !== null && this.sources.filters[kind] !== null)
      throw new OTError('OT_NOT_SUPPORTED', 'Filters and media processors exclude each other.');
    await this.ready();
    await this.sources.process(kind, connector as Processor | null);
  }

  private async switchTo(kind: Kind, deviceId: string, unknownDevice: string): Promise<void> {
    await this.sources.switchTo(kind, deviceId).catch((thrown: unknown) => {
      const error = asOTError(thrown, 'OT_UNABLE_TO_CAPTURE_MEDIA');
      const missing = error.name === 'OT_CONSTRAINTS_NOT_SATISFIED' || error.name === 'OT_NO_DEVICES_FOUND';
      throw missing
        ? new OTError(unknownDevice, 'There is no device with this id.', undefined, { cause: error })
        : error;
    });
  }

  private async cameraReady(): Promise<void> {
    await this.ready();
    if (!this.hasCamera || this.sources.raw('video') === null)
      throw new OTError('OT_SET_VIDEO_SOURCE_FAILURE', 'The publisher does not publish a camera.');
  }
}
