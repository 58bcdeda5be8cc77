/** The browser's RTCPeerConnection as a Peer: it always offers, lines are reused and never stopped. */
import type { PathSample } from '../core/index.ts';
import { logger } from '../logger.ts';
import { offeredCodecs } from './codecs.ts';
import { pathSample } from './statistics.ts';
import type { Peer, PeerFactory, PeerState, SendTracks, SentLines, SlotMids, SlotReceivers } from './peer.ts';

type Kind = 'audio' | 'video';

interface Pair {
  readonly audio: RTCRtpTransceiver;
  readonly video: RTCRtpTransceiver;
  announced: boolean;
}

/** Makes a peer on the browser's RTCPeerConnection. Throws what its constructor throws. */
export const makeRtcPeer: PeerFactory = (configuration, onState) => new RtcPeer(configuration, onState);

class RtcPeer implements Peer {
  private readonly pc: RTCPeerConnection;
  private readonly pairs: Pair[] = [];
  private readonly idle: Record<Kind, RTCRtpTransceiver[]> = { audio: [], video: [] };
  private reported: PeerState = 'connecting';

  constructor(
    configuration: RTCConfiguration,
    private readonly onState: (state: PeerState) => void,
  ) {
    this.pc = new RTCPeerConnection({ ...configuration, bundlePolicy: 'max-bundle' });
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
      this.pairs.push({
        audio: this.line('audio', 'recvonly'),
        video: this.line('video', 'recvonly'),
        announced: false,
      });
    }
  }

  receivers(slot: number): SlotReceivers | null {
    const pair = this.pairs[slot];
    return pair === undefined ? null : { audio: pair.audio.receiver, video: pair.video.receiver };
  }

  send(tracks: SendTracks): SentLines {
    const stream = new MediaStream([tracks.audio, tracks.video].filter((track) => track !== null));
    const encoding: RTCRtpEncodingParameters =
      tracks.audioBitrateBps === undefined ? {} : { maxBitrate: tracks.audioBitrateBps };
    const audio = tracks.audio && this.sendLine(tracks.audio, { streams: [stream], sendEncodings: [encoding] });
    const video = tracks.video && this.sendLine(tracks.video, { streams: [stream], sendEncodings: [{}] });
    const lines = { audio, video };
    let stopped = false;
    return {
      get audioMid() {
        return audio?.mid ?? undefined;
      },
      get videoMid() {
        return video?.mid ?? undefined;
      },
      replace: async (kind, track) => {
        if (!stopped) await lines[kind]?.sender.replaceTrack(track);
      },
      stop: () => {
        if (stopped) return;
        stopped = true;
        for (const kind of ['audio', 'video'] as const) {
          const line = lines[kind];
          if (line === null || this.pc.signalingState === 'closed') continue;
          line.direction = 'inactive';
          line.sender.replaceTrack(null).catch((error: unknown) => {
            logger.warn('A track could not be taken off its line.', error);
          });
          this.idle[kind].push(line);
        }
      },
    };
  }

  async offer(): Promise<string> {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    return this.pc.localDescription?.sdp ?? '';
  }

  newSlots(): readonly SlotMids[] {
    return this.pairs.flatMap(({ audio, video, announced }, slot) =>
      announced || audio.mid === null || video.mid === null ? [] : [{ slot, audioMid: audio.mid, videoMid: video.mid }],
    );
  }

  async accept(answer: string): Promise<void> {
    await this.pc.setRemoteDescription({ type: 'answer', sdp: answer });
    for (const pair of this.pairs) if (pair.audio.mid !== null) pair.announced = true;
  }

  async withdraw(): Promise<void> {
    if (this.pc.signalingState === 'have-local-offer') await this.pc.setLocalDescription({ type: 'rollback' });
  }

  async sample(): Promise<PathSample | null> {
    return pathSample(await this.pc.getStats());
  }

  restartIce(): void {
    this.pc.restartIce();
  }

  close(): void {
    this.pc.onconnectionstatechange = this.pc.oniceconnectionstatechange = null;
    this.pc.close();
  }

  private sendLine(track: MediaStreamTrack, init: RTCRtpTransceiverInit): RTCRtpTransceiver {
    const kind = track.kind as Kind;
    const used = this.idle[kind].pop();
    if (used === undefined) return this.line(kind, 'sendonly', track, init);
    used.direction = 'sendonly';
    used.sender.replaceTrack(track).catch((error: unknown) => {
      logger.warn('A track could not be put on its line.', error);
    });
    return used;
  }

  private line(
    kind: Kind,
    direction: RTCRtpTransceiverDirection,
    track?: MediaStreamTrack,
    init?: RTCRtpTransceiverInit,
  ): RTCRtpTransceiver {
    const line = this.pc.addTransceiver(track ?? kind, { ...init, direction });
    const codecs = RTCRtpReceiver.getCapabilities(kind)?.codecs;
    // Older Firefox has no codec preferences: its offers are just longer.
    if (codecs !== undefined && 'setCodecPreferences' in line) line.setCodecPreferences(offeredCodecs(codecs));
    return line;
  }

  private report(): void {
    const state = this.state;
    if (state === this.reported) return;
    this.reported = state;
    this.onState(state);
  }
}
