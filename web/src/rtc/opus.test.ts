import { expect, test } from 'vitest';
import { withOpusWishes, withRepeatedOpus } from './opus.ts';

const SDP = [
  'v=0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=mid:0',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'm=audio 9 UDP/TLS/RTP/SAVPF 96',
  'a=mid:10',
  'a=rtpmap:96 opus/48000/2',
  'm=video 9 UDP/TLS/RTP/SAVPF 97',
  'a=mid:1',
  'a=rtpmap:97 VP8/90000',
  '',
].join('\r\n');

test('wishes go into the Opus parameters of that section alone', () => {
  const sdp = withOpusWishes(SDP, '0', { stereo: true, dtx: true });
  expect(sdp).toContain('a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1;usedtx=1\r\n');
  expect(sdp).not.toContain('a=fmtp:96');
});

test('a section without parameters gets a line for them', () => {
  expect(withOpusWishes(SDP, '10', { stereo: false, dtx: true })).toContain(
    'a=rtpmap:96 opus/48000/2\r\na=fmtp:96 usedtx=1\r\n',
  );
});

test('without wishes, without Opus or in another section nothing changes', () => {
  expect(withOpusWishes(SDP, '0', { stereo: false, dtx: false })).toBe(SDP);
  expect(withOpusWishes(SDP, '1', { stereo: true, dtx: true })).toBe(SDP);
  expect(withOpusWishes(SDP, '7', { stereo: true, dtx: true })).toBe(SDP);
});

test('lost packets of Opus may be asked for, once in each of its sections', () => {
  const sdp = withRepeatedOpus(SDP);
  expect(sdp).toBe(
    SDP.replace('111 opus/48000/2', '111 opus/48000/2\r\na=rtcp-fb:111 nack').replace(
      '96 opus/48000/2',
      '96 opus/48000/2\r\na=rtcp-fb:96 nack',
    ),
  );
  expect(withRepeatedOpus(sdp)).toBe(sdp);
});
