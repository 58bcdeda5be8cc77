/** What an offer may hold: the codecs that the router forwards, and nothing else. */

interface Codec {
  readonly mimeType: string;
  readonly sdpFmtpLine?: string;
}

/** H.264 profiles by the first two bytes of profile-level-id: constrained baseline, baseline, high. */
const H264_PROFILES = ['42e0', '4200', '640c'];

/**
 * The codecs of `available` that are offered, in the browser's order: Opus; VP8, H.264 (packetization mode 1), VP9
 * (profile 0), AV1 (main profile) and their RTX. Everything else (fec, comfort noise, telephone events) only makes offers longer.
 *
 * Unless frames are encrypted, redundant audio (RFC 2198) before all others: browsers send it only if it stands before the codec
 * that it carries. The router takes it apart, which it cannot where frames are encrypted; and packets of AV1 are made of what
 * is in its frames.
 */
export function offeredCodecs<C extends Codec>(available: readonly C[], isEncrypted: boolean): C[] {
  const is = (name: string, { mimeType }: Codec): boolean => mimeType.toLowerCase() === name;
  const redundant = isEncrypted ? [] : available.filter((codec) => is('audio/red', codec));
  return [...redundant, ...available.filter((codec) => isOffered(codec) && !(isEncrypted && is('video/av1', codec)))];
}

function isOffered({ mimeType, sdpFmtpLine = '' }: Codec): boolean {
  const parameters = new Map(
    sdpFmtpLine
      .toLowerCase()
      .split(';')
      .map((part) => {
        const [key = '', value = ''] = part.trim().split('=');
        return [key, value] as const;
      }),
  );
  switch (mimeType.toLowerCase()) {
    case 'audio/opus':
    case 'video/vp8':
    case 'video/rtx':
      return true;
    case 'video/vp9':
      return (parameters.get('profile-id') ?? '0') === '0';
    case 'video/av1':
      return (parameters.get('profile') ?? '0') === '0';
    case 'video/h264':
      return (
        parameters.get('packetization-mode') === '1' &&
        H264_PROFILES.includes((parameters.get('profile-level-id') ?? '').slice(0, 4))
      );
    default:
      return false;
  }
}
