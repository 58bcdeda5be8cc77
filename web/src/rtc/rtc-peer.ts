/** The browser's RTCPeerConnection as a Peer: it always offers, lines are reused and never stopped. */
import type { PathSample } from '../core/index.ts';
import type { FrameEncryption } from '../encryption/index.ts';
import { logger } from '../logger.ts';
import { CandidateOrder } from './candidate-order.ts';
import { offeredCodecs } from './codecs.ts';
import { layersOf, limited, needed, refitted, scalabilityOf, withoutLayers, type Layer } from './layers.ts';
import { withOpusWishes, withRepeatedOpus, type OpusWishes } from './opus.ts';
import { PlayoutDelays } from './playout.ts';
import { Standstills } from './standstill.ts';
import { pathSample } from './statistics.ts';
import type { Peer, PeerFactory, PeerState, SendTracks, SentLines, SlotMids, SlotReceivers } from './peer.ts';

type Kind = 'audio' | 'video';

interface Pair {
  readonly audio: RTCRtpTransceiver;
  readonly video: RTCRtpTransceiver;
  announced: boolean;
  /** The numbers of its lines in the encryption. */
  readonly encrypted: readonly number[];
}

/** A line on which a track is sent. */
interface SendLine {
  readonly line: RTCRtpTransceiver;
  /** What the line was made with: their number and names are for good. None for a single encoding. */
  layers: readonly Layer[];
  /** How many of them are sent, from the smallest on: a picture that became smaller has fewer. */
  count: number;
  /** What all of them together may take, in bits per second; undefined leaves it to the browser. */
  most: number | undefined;
  /** The layers inside its one encoding, if nothing of them is paused; undefined leaves them to the browser. */
  mode: string | undefined;
  /** Changes of the parameters follow each other: the browser takes only those that it gave out last. */
  turn: Promise<unknown>;
  isOn: boolean;
  paused: readonly string[];
}

/** Makes a peer on the browser's RTCPeerConnection. Throws what its constructor throws. */
export const makeRtcPeer: PeerFactory = (configuration, onState, encryption = null) =>
  new RtcPeer(configuration, onState, encryption);

class RtcPeer implements Peer {
  private readonly pc: RTCPeerConnection;
  private readonly pairs: Pair[] = [];
  private readonly idle: Record<Kind, SendLine[]> = { audio: [], video: [] };
  private readonly opus = new Map<RTCRtpTransceiver, OpusWishes>();
  private readonly order = new CandidateOrder();
  private readonly delays = new PlayoutDelays();
  private readonly still = new Standstills();
  private stillMids: readonly string[] = [];
  private reported: PeerState = 'connecting';

  constructor(
    configuration: RTCConfiguration,
    private readonly onState: (state: PeerState) => void,
    private readonly encryption: FrameEncryption | null,
  ) {
    const needed = encryption?.configuration() ?? {};
    this.pc = new RTCPeerConnection({ ...configuration, ...needed, bundlePolicy: 'max-bundle' });
    this.pc.onconnectionstatechange = () => {
      this.report();
    };
    // ICE says `disconnected` seconds before the connection as a whole does in some browsers.
    this.pc.oniceconnectionstatechange = () => {
      this.report();
    };
  }

  get state(): PeerState {
    const { connectionState, iceConnectionState } = this.pc;
    if (connectionState === 'failed' || iceConnectionState === 'failed') return 'failed';
    if (connectionState === 'disconnected' || iceConnectionState === 'disconnected') return 'interrupted';
    return connectionState === 'connected' ? 'connected' : 'connecting';
  }

  get slotCount(): number {
    return this.pairs.length;
  }

  addSlotPairs(count: number): void {
    for (let added = 0; added < count; added += 1) {
      const [audio, video] = [this.line('audio', 'recvonly'), this.line('video', 'recvonly')];
      const { encryption } = this;
      const encrypted =
        encryption === null
          ? []
          : [
              encryption.protect(audio.receiver, 'received', 'audio'),
              encryption.protect(video.receiver, 'received', 'video'),
            ];
      this.pairs.push({ audio, video, announced: false, encrypted });
    }
  }

  receivers(slot: number): SlotReceivers | null {
    const pair = this.pairs[slot];
    if (pair === undefined) return null;
    const { encryption } = this;
    return {
      audio: pair.audio.receiver,
      video: pair.video.receiver,
      ...(encryption === null ? {} : { watchSecret: (told) => encryption.watch(pair.encrypted, told) }),
    };
  }

  send(tracks: SendTracks): SentLines {
    const stream = new MediaStream([tracks.audio, tracks.video].filter((track) => track !== null));
    const audio = tracks.audio && this.sendLine(tracks.audio, stream, { maxBitrate: tracks.audioBitrateBps });
    const size = tracks.isScalable === true ? tracks.video?.getSettings() : undefined;
    const layers = size === undefined ? [] : layersOf(size, tracks.videoCodecs);
    const inside = size && scalabilityOf(size, tracks.videoCodecs, tracks.isScreen);
    const video =
      tracks.video &&
      this.sendLine(
        tracks.video,
        stream,
        { maxBitrate: tracks.videoBitrateBps, scalabilityMode: tracks.scalabilityMode ?? inside },
        tracks.videoCodecs,
        layers,
      );
    if (audio !== null && tracks.opus !== undefined) this.opus.set(audio.line, tracks.opus);
    const lines = { audio, video };
    let stopped = false;
    const change = async (
      sent: SendLine | null,
      run: (encodings: RTCRtpEncodingParameters[]) => void,
    ): Promise<void> => {
      if (!stopped && sent !== null) await tune(sent, run);
    };
    return {
      stats: async (kind) => (await lines[kind]?.line.sender.getStats()) ?? null,
      tune: (kind, each) =>
        change(lines[kind], (encodings) => {
          encodings.forEach(each);
        }),
      limitVideo: (bps) =>
        change(video, (encodings) => {
          if (video === null) return;
          video.most = bps;
          limit(video, encodings);
        }),
      fitVideo: async (size) => {
        if (video === null || video.layers.length === 0) return;
        Object.assign(video, refitted(video.layers, size));
        await change(video, (encodings) => {
          limit(video, encodings);
          activate(video, encodings);
        });
      },
      switchVideo: async (on) => {
        if (video === null) return;
        video.isOn = on;
        await change(video, (encodings) => {
          activate(video, encodings);
        });
      },
      layer: async (scalabilityMode) => {
        if (video === null) return;
        video.mode = scalabilityMode;
        await change(video, (encodings) => {
          layer(video, encodings);
        });
      },
      pauseLayers: async (rids) => {
        if (video === null) return;
        video.paused = rids;
        await change(video, (encodings) => {
          activate(video, encodings);
          layer(video, encodings);
        });
      },
      get audioMid() {
        return audio?.line.mid ?? undefined;
      },
      get videoMid() {
        return video?.line.mid ?? undefined;
      },
      replace: async (kind, track) => {
        if (!stopped) await lines[kind]?.line.sender.replaceTrack(track);
      },
      stop: () => {
        if (stopped) return;
        stopped = true;
        for (const kind of ['audio', 'video'] as const) {
          const sent = lines[kind];
          if (sent === null || this.pc.signalingState === 'closed') continue;
          const { line } = sent;
          line.direction = 'inactive';
          this.opus.delete(line);
          line.sender.replaceTrack(null).catch((error: unknown) => {
            logger.warn('A track could not be taken off its line.', error);
          });
          this.idle[kind].push(sent);
        }
      },
    };
  }

  async offer(): Promise<string> {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const sdp = this.pc.localDescription?.sdp ?? '';
    return repeatsOpus() ? withRepeatedOpus(sdp) : sdp;
  }

  newSlots(): readonly SlotMids[] {
    return this.pairs.flatMap(({ audio, video, announced }, slot) =>
      announced || audio.mid === null || video.mid === null ? [] : [{ slot, audioMid: audio.mid, videoMid: video.mid }],
    );
  }

  async accept(answer: string): Promise<void> {
    let sdp = this.order.apply(answer);
    for (const [line, wishes] of this.opus) if (line.mid !== null) sdp = withOpusWishes(sdp, line.mid, wishes);
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
    for (const pair of this.pairs) if (pair.audio.mid !== null) pair.announced = true;
  }

  async withdraw(): Promise<void> {
    if (this.pc.signalingState === 'have-local-offer') await this.pc.setLocalDescription({ type: 'rollback' });
  }

  async sample(): Promise<PathSample | null> {
    const report = await this.pc.getStats();
    this.delays.note(report, this.pairs);
    this.stillMids = this.still.note(report);
    return pathSample(report);
  }

  get standstills(): readonly number[] {
    return this.pairs.flatMap(({ video }, slot) => (this.stillMids.includes(video.mid ?? '') ? [slot] : []));
  }

  restartIce(): void {
    this.pc.restartIce();
  }

  close(): void {
    this.pc.onconnectionstatechange = this.pc.oniceconnectionstatechange = null;
    this.pc.close();
  }

  private sendLine(
    track: MediaStreamTrack,
    stream: MediaStream,
    wished: { readonly maxBitrate?: number | undefined; readonly scalabilityMode?: string | undefined },
    codecs: readonly string[] = [],
    layers: readonly Layer[] = [],
  ): SendLine {
    const kind = track.kind as Kind;
    const { maxBitrate, scalabilityMode } = wished;
    const mode = scalabilityMode === undefined ? {} : { scalabilityMode };
    // A browser that was told of three encodings once has three for good.
    const place = this.idle[kind].findIndex((idle) => idle.layers.length === layers.length);
    const used = this.idle[kind].splice(place, place < 0 ? 0 : 1)[0];
    if (used === undefined) {
      const bitrates = limited(layers, maxBitrate);
      const sendEncodings =
        layers.length === 0
          ? [{ ...(maxBitrate === undefined ? {} : { maxBitrate }), ...mode }]
          : layers.map((layer, index) => ({ ...layer, ...mode, maxBitrate: bitrates[index] ?? layer.maxBitrate }));
      const line = this.layeredLine(kind, track, stream, sendEncodings);
      this.encryption?.protect(line.sender, 'sent', kind);
      this.prefer(line, kind, codecs);
      const sent = { line, layers, count: layers.length, most: maxBitrate, mode: scalabilityMode };
      return { ...sent, turn: Promise.resolve(), isOn: true, paused: [] };
    }
    used.layers = layers;
    used.count = layers.length;
    used.most = maxBitrate;
    used.mode = scalabilityMode;
    used.isOn = true;
    used.paused = [];
    used.line.direction = 'sendonly';
    this.prefer(used.line, kind, codecs);
    used.line.sender
      .replaceTrack(track)
      .then(() =>
        tune(used, (encodings) => {
          limit(used, encodings);
          activate(used, encodings);
          layer(used, encodings);
        }),
      )
      .catch((error: unknown) => {
        logger.warn('A track could not be put on its line.', error);
      });
    return used;
  }

  /** A line to send on; where the browser refuses a scalability mode, that is its own choice. */
  private layeredLine(
    kind: Kind,
    track: MediaStreamTrack,
    stream: MediaStream,
    sendEncodings: readonly (RTCRtpEncodingParameters & { readonly scalabilityMode?: string })[],
  ): RTCRtpTransceiver {
    const streams = [stream];
    try {
      return this.line(kind, 'sendonly', track, { streams, sendEncodings: [...sendEncodings] });
    } catch (error) {
      if (sendEncodings.every(({ scalabilityMode }) => scalabilityMode === undefined)) throw error;
      logger.warn('The browser does not know the scalability mode.', error);
      const plain = sendEncodings.map(({ scalabilityMode: _, ...encoding }) => encoding);
      return this.line(kind, 'sendonly', track, { streams, sendEncodings: plain });
    }
  }

  private line(
    kind: Kind,
    direction: RTCRtpTransceiverDirection,
    track?: MediaStreamTrack,
    init?: RTCRtpTransceiverInit,
  ): RTCRtpTransceiver {
    const line = this.pc.addTransceiver(track ?? kind, { ...init, direction });
    this.prefer(line, kind, []);
    if (kind === 'video') describeDependencies(line);
    return line;
  }

  /**
   * Offers the codecs that the router forwards, those in `dearest` first. No redundant audio where frames are encrypted: the
   * router, which takes it apart, could not read what is in it.
   */
  private prefer(line: RTCRtpTransceiver, kind: Kind, dearest: readonly string[]): void {
    const codecs = RTCRtpReceiver.getCapabilities(kind)?.codecs;
    // Older Firefox has no codec preferences: its offers are just longer.
    if (codecs === undefined || !('setCodecPreferences' in line)) return;
    const rank = ({ mimeType }: { readonly mimeType: string }): number => {
      const place = dearest.indexOf(mimeType.slice(mimeType.indexOf('/') + 1).toLowerCase());
      return place < 0 ? dearest.length : place;
    };
    const offered = offeredCodecs(codecs, this.encryption !== null);
    line.setCodecPreferences(offered.sort((one, other) => rank(one) - rank(other)));
  }

  private report(): void {
    const state = this.state;
    if (state === this.reported) return;
    this.reported = state;
    this.onState(state);
  }
}

const DEPENDENCY_DESCRIPTOR = 'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension';

/** Whether the browser repeats audio, and asks for repeats, if an answer says so: those do that know redundant audio. */
function repeatsOpus(): boolean {
  const codecs = RTCRtpReceiver.getCapabilities('audio')?.codecs ?? [];
  return codecs.some(({ mimeType }) => mimeType.toLowerCase() === 'audio/red');
}

interface HeaderExtension {
  direction: string;
  readonly uri: string;
}

/** Offers the header extension by which the router tells layers apart; Chromium knows it and does not offer it unasked. */
function describeDependencies(line: RTCRtpTransceiver): void {
  const extended = line as RTCRtpTransceiver & {
    getHeaderExtensionsToNegotiate?(): HeaderExtension[];
    setHeaderExtensionsToNegotiate?(extensions: HeaderExtension[]): void;
  };
  const extensions = extended.getHeaderExtensionsToNegotiate?.() ?? [];
  const descriptor = extensions.find(({ uri }) => uri === DEPENDENCY_DESCRIPTOR);
  if (descriptor === undefined) return;
  descriptor.direction = 'sendrecv';
  extended.setHeaderExtensionsToNegotiate?.(extensions);
}

/** Changes the parameters of a line, after the changes before. */
async function tune(sent: SendLine, change: (encodings: RTCRtpEncodingParameters[]) => void): Promise<void> {
  const run = async (): Promise<void> => {
    const { sender } = sent.line;
    const parameters = sender.getParameters();
    // A browser without encodings before the first negotiation takes none here either.
    if (!Array.isArray(parameters.encodings) || parameters.encodings.length === 0) return;
    change(parameters.encodings);
    await sender.setParameters(parameters);
  };
  const turn = sent.turn.then(run, run);
  sent.turn = turn;
  await turn;
}

function limit({ layers, count, most: bps }: SendLine, encodings: RTCRtpEncodingParameters[]): void {
  const bitrates = limited(layers.slice(0, count), bps);
  encodings.forEach((encoding, place) => {
    const layer = layers[place];
    const most = layer === undefined ? bps : (bitrates[place] ?? layer.maxBitrate);
    if (layer !== undefined) encoding.scaleResolutionDownBy = layer.scaleResolutionDownBy;
    if (most === undefined) delete encoding.maxBitrate;
    else encoding.maxBitrate = most;
  });
}

function activate({ layers, count, isOn, paused }: SendLine, encodings: RTCRtpEncodingParameters[]): void {
  const sent = needed(layers, count, paused);
  encodings.forEach((encoding, place) => {
    encoding.active = isOn && (place === 0 || sent.includes(layers[place]?.rid ?? ''));
  });
}

/** The layers inside of each encoding. Of a line's only one those that are paused are left out. */
function layer({ layers, mode, paused }: SendLine, encodings: RTCRtpEncodingParameters[]): void {
  for (const encoding of encodings as (RTCRtpEncodingParameters & { scalabilityMode?: string })[]) {
    const isOnly = layers.length === 0;
    // What an earlier stream on this line left out was of its picture.
    if (isOnly && encoding.scaleResolutionDownBy !== undefined) encoding.scaleResolutionDownBy = 1;
    if (mode === undefined) delete encoding.scalabilityMode;
    else Object.assign(encoding, isOnly ? withoutLayers(mode, paused) : { scalabilityMode: mode });
  }
}
