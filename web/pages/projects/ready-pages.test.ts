import { expect, it } from 'vitest';
import { factsIn } from '../try/facts.ts';
import { pageSource, trialAddress } from './ready-pages.ts';

const PAGE = new URL('https://video.example.org/below/projects#/40012345');
const facts = { apiKey: '40012345', sessionId: '2_MX40~-', token: 'T1==a+b/c=&d' };

it.each(['v1', 'v2'] as const)('the page of %s finds what it needs behind the # alone', (era) => {
  const address = new URL(trialAddress(era, facts, PAGE));
  expect(address.origin + address.pathname + address.search).toBe(`https://video.example.org/below/try-${era}`);
  expect(factsIn(address.hash)).toEqual({ key: facts.apiKey, session: facts.sessionId, token: facts.token });
});

it.each(['', '#', '#key=1&session=2', '#key=&session=2&token=3'])('%s names nothing to join', (hash) => {
  expect(factsIn(hash)).toBeUndefined();
});

it('the source of a page loads the script of its generation from this server', () => {
  expect(pageSource('v1', facts, PAGE)).toContain('<script src="https://video.example.org/below/v1.1/js/TB.min.js">');
  expect(pageSource('v1', facts, PAGE)).toContain('session.connect("40012345", "T1==a+b/c=&d")');
  expect(pageSource('v2', facts, PAGE)).toContain('<script src="https://video.example.org/below/v2/js/opentok.min.js">');
  expect(pageSource('v2', facts, PAGE)).toContain('OT.initSession("40012345", "2_MX40~-")');
});

it('nothing in a token can end the script', () => {
  const source = pageSource('v2', { ...facts, token: '</script><script>alert(1)//' }, PAGE);
  expect(source.match(/<\/script>/g)).toHaveLength(2);
});
