import { describe, expect, test } from 'vitest';
import { nameOf, OWN_TILE, people, tiles } from './people.ts';
import { initialState, reduce, type Change, type State, type StreamFacts } from './state.ts';

const after = (...changes: Change[]): State => changes.reduce(reduce, initialState('moderator', 'Ann', true));

const joined: Change = { type: 'joined', me: 'a', role: 'moderator' };
const arrives = (id: string, data = ''): Change => ({ type: 'connectionCreated', connection: { id, data } });
const stream = (id: string, connectionId: string, more: Partial<StreamFacts> = {}): StreamFacts => ({
  id, connectionId, name: '', hasAudio: true, hasVideo: true, isScreen: false, ...more,
});
const streams = (id: string, connectionId: string, more: Partial<StreamFacts> = {}): Change => ({
  type: 'streamCreated', stream: stream(id, connectionId, more),
});
const plays = (streamId: string): Change => ({ type: 'playback', streamId, playback: 'playing' });
const says = (connectionId: string, name: string): Change => ({ type: 'profile', connectionId, profile: { name, role: 'publisher', asks: false } });
const message = (own: boolean): Change => ({ type: 'message', message: { at: 0, own, name: 'Bob', text: 'hi' } });

describe('the people of a session', () => {
  test('are oneself first, then the others as they came', () => {
    const state = after(joined, arrives('b'), arrives('a'), arrives('c'), streams('s1', 'c'));
    expect(people(state).map(({ id, isMe, streams }) => [id, isMe, streams.length])).toEqual([['a', true, 0], ['b', false, 0], ['c', false, 1]]);
  });

  test('are named by token, then by themselves, then by stream, then by id', () => {
    const facts = [joined, arrives('bbbbbbbbb'), streams('s', 'bbbbbbbbb', { name: 'from stream' })];
    expect(nameOf(after(joined, arrives('bbbbbbbbb')), 'bbbbbbbbb')).toBe('bbbbbb');
    expect(nameOf(after(...facts), 'bbbbbbbbb')).toBe('from stream');
    expect(nameOf(after(...facts, says('bbbbbbbbb', 'Bob')), 'bbbbbbbbb')).toBe('Bob');
    expect(nameOf(after(joined, arrives('b', '{"name":"Robert"}'), says('b', 'Bob')), 'b')).toBe('Robert');
    expect(nameOf(after(joined, arrives('a')), 'a')).toBe('Ann');
  });

  test('are counted once, also when told twice', () => {
    expect(people(after(joined, arrives('b'), arrives('b')))).toHaveLength(1);
  });
});

describe('the stage', () => {
  test('shows the own picture as soon as it is asked for, and streams that are subscribed to', () => {
    const state = after(joined, { type: 'own', own: { state: 'starting' } }, streams('s1', 'b'), streams('s2', 'c'), plays('s2'), streams('mine', 'a'));
    expect(tiles(state).map(({ key, playback }) => [key, playback])).toEqual([[OWN_TILE, 'starting'], ['s2', 'playing']]);
  });

  test('follows mute and unmute', () => {
    const state = after(joined, streams('s', 'b'), plays('s'), { type: 'streamChanged', stream: stream('s', 'b', { hasAudio: false }) });
    expect(tiles(state)[0]).toMatchObject({ hasAudio: false, hasVideo: true });
  });

  test('is empty after the end, while chat and log stay', () => {
    const state = after(joined, arrives('b'), streams('s', 'b'), plays('s'), says('b', 'Bob'), { type: 'own', own: { state: 'live', audio: false } }, message(false),
      { type: 'ended', reason: 'forceDisconnected' });
    expect(state.phase).toEqual({ name: 'left', reason: 'forceDisconnected' });
    expect([tiles(state), people(state), state.profiles.size]).toEqual([[], [], 0]);
    expect(state.messages).toHaveLength(1);
    expect(state.own).toMatchObject({ state: 'off', audio: false });
  });

  test('forgets a stream that ended and ignores a change that comes too late', () => {
    const state = after(joined, streams('s', 'b'), plays('s'), { type: 'streamDestroyed', id: 's' }, { type: 'streamChanged', stream: stream('s', 'b') });
    expect([state.streams, tiles(state)]).toEqual([[], []]);
  });
});

describe('unread messages', () => {
  test('are those of others while the chat is out of sight', () => {
    expect(after(message(false)).unread).toBe(0);
    const away = after({ type: 'panel', open: true, tab: 'people' }, message(false), message(true), message(false));
    expect(away.unread).toBe(2);
    expect(reduce(away, { type: 'panel', open: true, tab: 'chat' }).unread).toBe(0);
    expect(after({ type: 'panel', open: false }, message(false)).unread).toBe(1);
  });
});

describe('removing somebody', () => {
  const asked: Change = { type: 'confirming', connectionId: 'b' };

  test('is no longer asked once they left or the user looked elsewhere', () => {
    expect(after(arrives('b'), asked).confirming).toBe('b');
    expect(after(arrives('b'), asked, { type: 'connectionDestroyed', id: 'b' }).confirming).toBeUndefined();
    expect(after(arrives('b'), asked, { type: 'connectionDestroyed', id: 'c' }).confirming).toBe('b');
    expect(after(arrives('b'), asked, { type: 'panel', open: true, tab: 'chat' }).confirming).toBeUndefined();
  });
});

describe('toasts', () => {
  const toast = (title: string): Change => ({ type: 'toasted', kind: 'notice', words: { title, text: '' } });

  test('stand three at most, the same only once, each with an id of its own', () => {
    const state = after(toast('one'), toast('two'), toast('two'), toast('three'), toast('four'));
    expect(state.toasts.map(({ words }) => words.title)).toEqual(['two', 'three', 'four']);
    expect(new Set(state.toasts.map(({ id }) => id)).size).toBe(3);
  });

  test('go when dismissed, and leave their id to no other', () => {
    const id = after(toast('one')).toasts[0]?.id ?? 0;
    const dismissed = after(toast('one'), { type: 'dismissed', toastId: id });
    expect(dismissed.toasts).toEqual([]);
    expect(reduce(dismissed, toast('two')).toasts[0]?.id).not.toBe(id);
  });
});
