import { describe, expect, it } from 'vitest';
import { eraOf, FIRST_ERA, serverOf, v1, v2 } from './index.ts';

describe('the address of a script', () => {
  it.each([
    ['https://a.test/v2/js/opentok.min.js', 'https://a.test', v2],
    ['https://a.test/video/v2/js/opentok.js?apikey=1', 'https://a.test/video', v2],
    ['https://a.test/video/webrtc/v2.2/js/TB.min.js', 'https://a.test/video', v2],
    ['https://a.test/webrtc/v2.0/js/TB.min.js', 'https://a.test', FIRST_ERA['2.0']],
    ['https://a.test/one/two/v0.91/js/TB.min.js', 'https://a.test/one/two', FIRST_ERA['0.91']],
    ['http://a.test/v1.0/js/TB.min.js', 'http://a.test', v1],
    ['http://a.test:8080/v1.1/js/TB.min.js', 'http://a.test:8080', v1],
  ])('%s names its server and its era', (address, server, era) => {
    const url = new URL(address);
    expect(serverOf(url)).toBe(server);
    expect(eraOf(url.pathname)).toBe(era);
  });
});
