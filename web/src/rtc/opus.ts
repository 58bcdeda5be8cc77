/** What descriptions say of Opus beside what a browser says by itself. */

/** Wishes that a sender reads from the answer (RFC 7587 section 6.1). */

export interface OpusWishes {
  readonly stereo: boolean;
  /** Send next to nothing while there is silence. */
  readonly dtx: boolean;
}

/** `sdp` with the wishes in the Opus parameters of the media section of that mid. */
export function withOpusWishes(sdp: string, mid: string, { stereo, dtx }: OpusWishes): string {
  const added = [...(stereo ? ['stereo=1', 'sprop-stereo=1'] : []), ...(dtx ? ['usedtx=1'] : [])].join(';');
  if (added === '') return sdp;
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => {
      const payloadType = /^a=rtpmap:(\d+) opus\//im.exec(section)?.[1];
      if (payloadType === undefined || !new RegExp(`^a=mid:${mid}\\r?$`, 'm').test(section)) return section;
      const parameters = new RegExp(`^(a=fmtp:${payloadType} [^\\r\\n]*)`, 'm');
      if (parameters.test(section)) return section.replace(parameters, `$1;${added}`);
      return section.replace(/^(a=rtpmap:\d+ opus\/[^\r\n]*)/im, `$1\r\na=fmtp:${payloadType} ${added}`);
    })
    .join('');
}

/**
 * The offer, where Opus packets that are lost may be asked for (RFC 4585 section 4.2). For browsers that do so once an answer
 * says it, as all do that are made of the same library as Chromium; they do not offer it, and need not be told here.
 */
export function withRepeatedOpus(offer: string): string {
  return offer
    .split(/(?=^m=)/m)
    .map((section) => {
      const payloadType = /^a=rtpmap:(\d+) opus\//im.exec(section)?.[1];
      if (payloadType === undefined || new RegExp(`^a=rtcp-fb:${payloadType} nack\\s*$`, 'm').test(section))
        return section;
      return section.replace(/^(a=rtpmap:\d+ opus\/[^\r\n]*)/im, `$1\r\na=rtcp-fb:${payloadType} nack`);
    })
    .join('');
}
