import { describe, expect, test } from 'vitest';
import { CandidateOrder } from './candidate-order.ts';

const answer = (ufrag: string): string =>
  [
    'v=0',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    `a=ice-ufrag:${ufrag}`,
    'a=candidate:1 1 udp 2130706175 192.0.2.1 8081 typ host',
    'a=candidate:2 1 udp 2130705919 2001:db8::1 8081 typ host',
    'a=candidate:3 1 tcp 1518280447 192.0.2.1 8081 typ host tcptype passive',
    'a=end-of-candidates',
    '',
  ].join('\r\n');

/** In the order of the lines above. */
function priorities(sdp: string): [number, number, number] {
  const found = [...sdp.matchAll(/^a=candidate:\d 1 \w+ (\d+) \S+ 8081 typ host/gm)].map(([, priority]) =>
    Number(priority),
  );
  expect(found).toHaveLength(3);
  return found as [number, number, number];
}

describe('the priorities of candidates', () => {
  test('keep the order of one answer, and are below those of a browser', () => {
    const [first, second, tcp] = priorities(new CandidateOrder().apply(answer('a')));
    expect(first).toBeGreaterThan(second);
    expect(second).toBeGreaterThan(tcp);
    expect(tcp).toBeGreaterThan(0);
    expect(first).toBeLessThan(2 ** 24);
  });

  test('stay as they are while ICE is not restarted, and nothing else changes', () => {
    const order = new CandidateOrder();
    const once = order.apply(answer('a'));
    expect(order.apply(answer('a'))).toBe(once);
    const others = (sdp: string): string => sdp.replaceAll(/(a=candidate:\d 1 \w+) \d+/g, '$1');
    expect(others(once)).toBe(others(answer('a')));
  });

  test('rise with every restart above all of before, TCP too', () => {
    const order = new CandidateOrder();
    let highest = 0;
    for (let restart = 0; restart < 70_000; restart += 1) {
      const [first, second, tcp] = priorities(order.apply(answer(String(restart))));
      if (restart < 60_000) expect(Math.min(first, second, tcp)).toBeGreaterThan(highest);
      highest = Math.max(first, second, tcp);
      expect(highest).toBeLessThan(2 ** 30);
      if (restart === 10) restart = 59_990;
      if (restart === 60_010) restart = 69_990;
    }
  });

  test('are given in an answer without a user name, or without candidates', () => {
    const order = new CandidateOrder();
    expect(order.apply('v=0\r\n')).toBe('v=0\r\n');
    expect(priorities(order.apply(answer('a').replace('a=ice-ufrag:a\r\n', '')))[2]).toBeGreaterThan(0);
  });
});
