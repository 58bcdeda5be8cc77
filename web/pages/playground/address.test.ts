import { describe, expect, test } from 'vitest';
import { inviteAddress, isThisComputerOnly, readAddress } from './address.ts';

const PAGE = 'http://localhost:8080/playground';
const CREDENTIALS = { apiKey: '100', sessionId: '1_MX4+/=~', token: 'T1==a+b/c=' };

describe('the address', () => {
  test('names role and name, and a moderator by default', () => {
    expect(readAddress(new URL(`${PAGE}?role=subscriber&name=Ann%20Lee`))).toMatchObject({ role: 'subscriber', name: 'Ann Lee' });
    expect(readAddress(new URL(PAGE))).toEqual({ role: 'moderator', name: undefined, credentials: undefined });
    expect(readAddress(new URL(`${PAGE}?role=king`)).role).toBe('moderator');
  });

  test('carries credentials in its hash, never in its query', () => {
    const link = inviteAddress(new URL(`${PAGE}?role=publisher&name=Ann`), 'moderator', CREDENTIALS);
    expect(new URL(link).search).toBe('');
    expect(readAddress(new URL(link)).credentials).toEqual(CREDENTIALS);
    const query = new URLSearchParams({ key: '1', session: '2', token: '3' });
    expect(readAddress(new URL(`${PAGE}?${query}`)).credentials).toBeUndefined();
  });

  test('ignores credentials that are not complete', () => {
    expect(readAddress(new URL(`${PAGE}#key=1&session=2`)).credentials).toBeUndefined();
  });

  test('invites with a role and without the host’s own name', () => {
    expect(inviteAddress(new URL(`${PAGE}?role=moderator&name=Ann#x`), 'publisher', undefined)).toBe(`${PAGE}?role=publisher`);
  });
});

test('an address of this computer is told from one of the network', () => {
  for (const host of ['localhost', '127.0.0.1', '[::1]', 'a.localhost']) expect(isThisComputerOnly(new URL(`http://${host}:1/`))).toBe(true);
  for (const host of ['192.168.1.7', 'video.example', 'localhost.example']) expect(isThisComputerOnly(new URL(`http://${host}/`))).toBe(false);
});
