import { expect, it } from 'vitest';
import type { Project } from './api.ts';
import { addressOf, INITIAL, moved, placeOf, shownProject, type Place } from './state.ts';

const SESSION = '2_MX40MDAxMjM0NX5-fg';
const project: Project = {
  apiKey: '40012345',
  apiSecret: 'secret',
  name: 'Acme',
  status: 'ACTIVE',
  createdAtMs: 0,
  acceptKnownKeys: false,
  isConfigured: false,
};

it.each<Place>([
  { tab: 'sessions' },
  { key: '40012345', tab: 'settings' },
  { key: '40012345', tab: 'settings' },
  { key: '40012345', tab: 'sessions', session: SESSION },
])('an address leads back to its place: %o', (place) => {
  expect(placeOf(addressOf(place))).toEqual(place);
});

it.each(['', '#', '#/', '#/x', '#/12345678901/sessions', '#/<b>/sessions', '#/%E0%A4%A'])('%s is the beginning', (hash) => {
  expect(placeOf(hash)).toEqual({ tab: 'sessions' });
});

it('an unknown tab shows the sessions', () => {
  expect(placeOf('#/40012345/secrets')).toEqual({ key: '40012345', tab: 'sessions' });
});

it('another project shows nothing of the former one', () => {
  const before = {
    ...INITIAL,
    place: { key: '40012345', tab: 'sessions' as const, session: SESSION },
    projects: [project],
    showsSecret: true,
    sessions: { live: [], others: [] },
    made: { session: SESSION, token: 't', role: 'publisher', format: 'jwt', expiresAtMs: 0 },
  };
  expect(shownProject(before)).toBe(project);
  const after = moved(before, { key: '50012345', tab: 'sessions' });
  expect([after.showsSecret, after.sessions, after.session, after.made]).toEqual([false, undefined, undefined, undefined]);
  expect(shownProject(after)).toBeUndefined();
});

it('a token is forgotten with its session', () => {
  const made = { session: SESSION, token: 't', role: 'publisher', format: 'jwt', expiresAtMs: 0 };
  const before = { ...INITIAL, place: { key: '40012345', tab: 'sessions' as const, session: SESSION }, made };
  expect(moved(before, before.place).made).toBe(made);
  expect(moved(before, { key: '40012345', tab: 'sessions' }).made).toBeUndefined();
});
