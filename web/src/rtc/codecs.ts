/** What an offer may hold: the codecs that the router forwards, and nothing else. */

interface Codec {
  readonly mimeType: string;
  readonly sdpFmtpLine?: string;
}

/** H.264 profiles by the first two bytes of profile-level-id: constrained baseline, baseline, high. */
const H264_PROFILES = ['42e0', '4200', '640c'];

/**
 * The codecs of `available` that are offered, in the browser's order: Opus; VP8, H.264 (packetization mode 1), VP9
 * (profile 0) and their RTX. Everything else (fec, comfort noise, telephone events, AV1) only makes offers longer.
 *
 * With `redundancy`, redundant audio (RFC 2198) before all others: browsers send it only if it stands before the codec that it
 * carries.
 */
export function offeredCodecs<C extends Codec>(available: readonly C[], redundancy: boolean): C[] {
  const redundant = redundancy ? available.filter(({ mimeType }) => mimeType.toLowerCase() === 'audio/red') : [];
  return [...redundant, ...available.filter(isOffered)];
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
    case 'video/h264':
      return (
        parameters.get('packetization-mode') === '1' &&
        H264_PROFILES.includes((parameters.get('profile-level-id') ?? '').slice(0, 4))
      );
    default:
      return false;
  }
}
