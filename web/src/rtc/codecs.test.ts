import { expect, test } from 'vitest';
import { offeredCodecs } from './codecs.ts';

const h264 = (profile: string, mode = 1): { mimeType: string; sdpFmtpLine: string } => ({
  mimeType: 'video/H264',
  sdpFmtpLine: `level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=${profile}`,
});

test('an offer holds what the router forwards, in the order of the browser, and nothing else', () => {
  const kept = [
    { mimeType: 'video/VP8' },
    { mimeType: 'video/rtx' },
    { mimeType: 'video/VP9', sdpFmtpLine: 'profile-id=0' },
    { mimeType: 'video/VP9' },
    { mimeType: 'video/AV1', sdpFmtpLine: 'level-idx=5;profile=0;tier=0' },
    h264('42e01f'),
    h264('42001f'),
    h264('640C34'),
    { mimeType: 'audio/opus', sdpFmtpLine: 'minptime=10;useinbandfec=1' },
  ];
  const dropped = [
    { mimeType: 'video/VP9', sdpFmtpLine: 'profile-id=2' },
    h264('42e01f', 0),
    h264('4d001f'),
    h264('f4001f'),
    { mimeType: 'video/AV1', sdpFmtpLine: 'level-idx=5;profile=1;tier=0' },
    { mimeType: 'video/red' },
    { mimeType: 'video/ulpfec' },
    { mimeType: 'video/flexfec-03' },
    { mimeType: 'audio/CN' },
    { mimeType: 'audio/PCMU' },
    { mimeType: 'audio/telephone-event' },
  ];
  expect(offeredCodecs([...dropped, ...kept], false)).toEqual(kept);
});

test('redundant audio is offered before the codec that it carries, and no redundant video', () => {
  const [opus, red] = [{ mimeType: 'audio/opus' }, { mimeType: 'audio/red', sdpFmtpLine: '111/111' }];
  const video = { mimeType: 'video/red' };
  expect(offeredCodecs([opus, red, video], false)).toEqual([red, opus]);
  expect(offeredCodecs([opus], false)).toEqual([opus]);
});

test('where frames are encrypted there is neither redundant audio nor AV1', () => {
  const [opus, red, av1] = [{ mimeType: 'audio/opus' }, { mimeType: 'audio/red' }, { mimeType: 'video/AV1' }];
  expect(offeredCodecs([opus, red, av1], true)).toEqual([opus]);
});
