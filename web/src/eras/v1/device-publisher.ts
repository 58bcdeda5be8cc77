/** The devices of a Publisher: which camera and microphone it has, how loud, and how that is told. */
import { Publisher, queueEvent, type Page, type Target } from '../../api/index.ts';
import { asOTError, OTError } from '../../errors.ts';
import { flag, volume, type Properties } from '../../options.ts';
import { meterOf, type LevelMeter } from '../../rtc/index.ts';
import { ButtonEvent, Camera, Device, DeviceEvent, Microphone, ValueEvent } from './device-events.ts';
import { detect, find, nameOf, type TracksInUse } from './device-list.ts';
import { deviceManagerOf } from './device-manager.ts';
import { GainProcessor, NEUTRAL_GAIN, runningContext } from './microphone-gain.ts';
import { settingsButton } from './settings-button.ts';

/** What the application said of devices when it made the Publisher. */
export interface DeviceWishes {
  readonly cameraName: string | undefined;
  readonly microphoneName: string | undefined;
  /** 0 to 100. */
  readonly microphoneGain: number;
}

/** Our own choice: the era's documents name none. */
const ACTIVITY_INTERVAL_MS = 200;
const MODES_WITHOUT_CANCELLATION = ['off', 'none', 'false'];

export class DevicePublisher extends Publisher {
  readonly #page: Page;
  readonly #button: HTMLElement | null;
  #gain = NEUTRAL_GAIN;
  #gainWork: Promise<GainProcessor | null> = Promise.resolve(null);
  #mode = 'unknown';
  #activity: { readonly timer: ReturnType<typeof setInterval>; meter: LevelMeter | null; track: unknown } | null = null;
  #over = false;
  readonly #watched = new WeakSet<MediaStreamTrack>();

  constructor(
    page: Page,
    target: Target,
    properties: Properties,
    protected readonly deviceWishes: DeviceWishes,
  ) {
    super(page, target, { ...properties, ...captureProperties(properties) });
    this.#page = page;
    this.#button = this.#makeButton(properties);
    this.#gain = deviceWishes.microphoneGain;
    this.#prepareWhenOpen();
  }

  /** Takes the camera with that name, of a Camera, or on that side of a phone: `front` or `back`. */
  setCamera(camera?: unknown): this {
    void this.#choose('camera', camera);
    return this;
  }

  setMicrophone(microphone?: unknown): this {
    void this.#choose('microphone', microphone);
    return this;
  }

  /** Leads to `devicesDetected` on this Publisher. */
  detectDevices(): void {
    void detect(this._tracksInUse()).then((event) => {
      if (!this.#over) queueEvent(this, event);
    });
  }

  /** Begins or ends to tell how loud the microphone is, by `microphoneActivityLevel`. */
  detectMicActivity(on?: unknown): void {
    this.#stopActivity();
    if (!flag(on, true) || this.#over) return;
    const timer = setInterval(() => {
      queueEvent(this, new ValueEvent('microphoneActivityLevel', this.#activityLevel()));
    }, ACTIVITY_INTERVAL_MS);
    this.#activity = { timer, meter: null, track: null };
  }

  /** 0 (silence) to 100 (twice as loud); 50 sends the sound as it is. */
  setMicrophoneGain(gain?: unknown): this {
    const wished = volume(gain);
    if (wished === undefined || wished === this.#gain) return this;
    this.#gain = wished;
    void this.#applyGain();
    queueEvent(this, new ValueEvent('microphoneGainChanged', wished));
    return this;
  }

  getMicrophoneGain(): number {
    return this.#gain;
  }

  /** `fullDuplex` or `off`; `unknown` before the microphone is open. */
  getEchoCancellationMode(): string {
    return this.#mode;
  }

  override setStyle(keyOrStyle?: string | Properties | null, value?: unknown): this {
    super.setStyle(keyOrStyle, value);
    const mode = super.getStyle('buttonDisplayMode');
    if (this.#button !== null && typeof mode === 'string') settingsButton.show(this.#button, mode);
    return this;
  }

  /** Resolves to the device once it is captured, or to null after telling why it is not. The library's own. */
  async _use(kind: 'camera' | 'microphone', wished: unknown): Promise<Device | null> {
    return this.#choose(kind, wished);
  }

  _tracksInUse(): TracksInUse {
    return { camera: this.getVideoSource().track, microphone: this.getAudioSource() };
  }

  /** Its device panel goes with the stream. */
  override _streamEnded(): void {
    super._streamEnded();
    deviceManagerOf(this.#page)._closePanelOf(this);
  }

  override _destroy(reason: Parameters<Publisher['_destroy']>[0]): void {
    super._destroy(reason);
    this.#over = true;
    this.#stopActivity();
    deviceManagerOf(this.#page)._closePanelOf(this);
  }

  override _askAgain(): void {
    const before = this._ready;
    super._askAgain();
    if (this._ready !== before) this.#prepareWhenOpen();
  }

  #prepareWhenOpen(): void {
    this._ready.then(
      () => this.#opened(),
      () => undefined,
    );
  }

  async #opened(): Promise<void> {
    if (this.#over) return;
    this.#tracksChanged();
    const { cameraName, microphoneName } = this.deviceWishes;
    if (cameraName !== undefined) await this.#choose('camera', cameraName);
    if (microphoneName !== undefined) await this.#choose('microphone', microphoneName);
    if (this.#gain !== NEUTRAL_GAIN) await this.#applyGain();
  }

  async #choose(kind: 'camera' | 'microphone', wished: unknown): Promise<Device | null> {
    const isReady = await this._ready.then(
      () => true,
      () => false,
    );
    if (!isReady || this.#over) return null;
    const { cameras, microphones } = await detect(this._tracksInUse());
    const device = find<Device>(kind === 'camera' ? cameras : microphones, wished);
    if (device === undefined) {
      this.#tell('invalidDeviceName', kind, nameOf(wished), 'invalid');
      return null;
    }
    const inUse = this._tracksInUse()[kind];
    if (inUse?.getSettings().deviceId === Device.idOf(device) && inUse.readyState === 'live') return device;
    try {
      if (kind === 'camera') await this.setVideoSource(Device.idOf(device));
      else await this.setAudioSource(Device.idOf(device));
    } catch (thrown) {
      this.#tell('deviceInactive', kind, device.name, 'inactive');
      this.#page.raise(asOTError(thrown, 'OT_UNABLE_TO_CAPTURE_MEDIA'), this);
      return null;
    }
    this.#tracksChanged();
    return device;
  }

  #tell(
    type: 'invalidDeviceName' | 'deviceInactive' | 'echoCancellationModeChanged',
    kind: 'camera' | 'microphone',
    name: string,
    status: string,
  ): void {
    const camera = kind === 'camera' ? new Camera(name, status) : null;
    const microphone = kind === 'microphone' ? new Microphone(name, status) : null;
    if (!this.#over) queueEvent(this, new DeviceEvent(type, camera, microphone));
  }

  /** Watches what is captured from now on, and says if echoes are treated in another way than before. */
  #tracksChanged(): void {
    const inUse = this._tracksInUse();
    for (const kind of ['camera', 'microphone'] as const) {
      const track = inUse[kind];
      if (track === null || this.#watched.has(track)) continue;
      this.#watched.add(track);
      const inactive = (): void => {
        if (this._tracksInUse()[kind] === track) this.#tell('deviceInactive', kind, track.label, 'inactive');
      };
      track.addEventListener('ended', inactive);
      track.addEventListener('mute', inactive);
    }
    const { microphone } = inUse;
    if (microphone === null) return;
    const before = this.#mode;
    this.#mode = microphone.getSettings().echoCancellation === false ? 'off' : 'fullDuplex';
    if (before !== 'unknown' && before !== this.#mode)
      this.#tell('echoCancellationModeChanged', 'microphone', microphone.label, 'active');
  }

  /** Puts the wanted gain between microphone and encoder; the neutral one is no detour at all. */
  #applyGain(): Promise<unknown> {
    this.#gainWork = this.#gainWork.then(async (processor) => {
      if (this.#over) return null;
      if (processor !== null) {
        processor.set(this.#gain);
        return processor;
      }
      if (this.#gain === NEUTRAL_GAIN || (await this._ready.then(() => this.getAudioSource() === null))) return null;
      const made = new GainProcessor(await runningContext(), this.#gain);
      await this.setAudioMediaProcessorConnector(made);
      made.set(this.#gain); // which may have changed meanwhile
      return made;
    });
    return this.#gainWork.catch((thrown: unknown) => {
      this.#gainWork = Promise.resolve(null);
      const refused = asOTError(thrown, 'OT_NOT_SUPPORTED').message;
      if (!this.#over) this.#page.raise(new OTError('OT_NOT_SUPPORTED', `The gain cannot be set: ${refused}`), this);
    });
  }

  #activityLevel(): number {
    const track = this.getAudioSource();
    const activity = this.#activity;
    if (activity === null || track === null || track.readyState === 'ended' || track.muted || !track.enabled) return -1;
    if (activity.track !== track) {
      activity.meter?.close();
      activity.meter = meterOf(track);
      activity.track = track;
    }
    return Math.round(Math.sqrt(activity.meter?.read() ?? 0) * 100);
  }

  #stopActivity(): void {
    if (this.#activity === null) return;
    clearInterval(this.#activity.timer);
    this.#activity.meter?.close();
    this.#activity = null;
  }

  #makeButton(properties: Properties): HTMLElement | null {
    if (this.element === undefined || properties['showControls'] === false) return null;
    const button = settingsButton.make(() => {
      queueEvent(this, new ButtonEvent('settingsButtonClick'), () => {
        deviceManagerOf(this.#page).displayPanel(null, this, {});
      });
    });
    this.element.append(button);
    return button;
  }
}

/** On which side the camera is, and what is done about echoes, as the newer options. */
function captureProperties(properties: Properties): Properties {
  const position = properties['cameraPosition'];
  const mode = properties['echoCancellationMode'];
  return {
    ...(position === 'front' ? { facingMode: 'user' } : position === 'back' ? { facingMode: 'environment' } : {}),
    ...(mode === undefined
      ? {}
      : { echoCancellation: !MODES_WITHOUT_CANCELLATION.includes(String(mode).toLowerCase()) }),
  };
}
