import { afterEach, expect, test, vi } from 'vitest';
import { fetchOffer, parseConfig } from './config.ts';

const CONFIG = { apiKey: '100', sessionId: '1_MX4', tokens: { moderator: 'M', subscriber: 'S' } };

const answering = (answer: Response): void => {
  vi.stubGlobal('fetch', vi.fn().mockResolvedValue(answer));
};

afterEach(() => vi.unstubAllGlobals());

test('the token is the one of the role', () => {
  expect(parseConfig(CONFIG, 'subscriber')).toEqual({ credentials: { apiKey: '100', sessionId: '1_MX4', token: 'S' }, impair: undefined });
});

test('a network that is made bad on purpose is told', () => {
  expect(parseConfig({ ...CONFIG, impair: 'loss=20' }, 'moderator')?.impair).toBe('loss=20');
  expect(parseConfig({ ...CONFIG, impair: 20 }, 'moderator')?.impair).toBeUndefined();
});

test('an answer that lacks something is none', () => {
  for (const config of [null, 7, {}, { ...CONFIG, apiKey: 100 }, { ...CONFIG, tokens: null }]) expect(parseConfig(config, 'moderator')).toBeUndefined();
  expect(parseConfig(CONFIG, 'publisher')).toBeUndefined();
});

test('a server without a session to hand out is not an error, a broken one is', async () => {
  answering(new Response('', { status: 404 }));
  await expect(fetchOffer('moderator')).resolves.toBeUndefined();
  answering(new Response('', { status: 503 }));
  await expect(fetchOffer('moderator')).rejects.toThrow('503');
  answering(new Response('{}'));
  await expect(fetchOffer('moderator')).rejects.toThrow('names no key');
});
