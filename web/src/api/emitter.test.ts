import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FIRST_ERA, v1, v2 } from '../eras/index.ts';
import { settled } from '../testing/index.ts';
import { Emitter, fire, queueEvent, type Handler } from './emitter.ts';
import { Event, SessionDisconnectEvent } from './events.ts';
import { afterwards, queueJob } from './tasks.ts';

const reported = vi.fn();

beforeEach(() => {
  vi.stubGlobal('reportError', reported);
  reported.mockClear();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

function log(): { readonly calls: string[]; note(name: string): Handler } {
  const calls: string[] = [];
  return {
    calls,
    note: (name) => () => {
      calls.push(name);
    },
  };
}

/** Dispatches in a job, as the library does; resolves when every handler has run. */
async function dispatch(...args: Parameters<typeof fire>): Promise<void> {
  queueJob(() => {
    fire(...args);
  });
  await settled();
}

describe('on, once and off', () => {
  test('take one type, several separated by spaces, or a map', async () => {
    const emitter = new Emitter(v2);
    const { calls, note } = log();
    emitter
      .on('a', note('1'))
      .on('a b', note('2'))
      .on({ b: note('3'), c: note('4') });
    for (const type of ['a', 'b', 'c']) await dispatch(emitter, new Event(type));
    expect(calls).toEqual(['1', '2', '2', '3', '4']);
  });

  test('call a handler as often as it was added, in order', async () => {
    const emitter = new Emitter(v2);
    const { calls, note } = log();
    const twice = note('twice');
    emitter.on('a', twice).on('a', note('once')).on('a', twice);
    await dispatch(emitter, new Event('a'));
    expect(calls).toEqual(['twice', 'once', 'twice']);
  });

  test('once goes after its first call, for every type that it named', async () => {
    const emitter = new Emitter(v2);
    const { calls, note } = log();
    emitter.once('a b', note('x'));
    await dispatch(emitter, new Event('b'));
    await dispatch(emitter, new Event('a'));
    await dispatch(emitter, new Event('b'));
    expect(calls).toEqual(['x']);
  });

  test('handlers have their context as this', async () => {
    const emitter = new Emitter(v2);
    const context = {};
    const seen: unknown[] = [];
    const handler = function (this: unknown): void {
      seen.push(this);
    };
    emitter.on('a', handler, context).on({ a: handler }, context);
    await dispatch(emitter, new Event('a'));
    expect(seen).toEqual([context, context]);
  });

  test('off narrows by type, handler and context', async () => {
    const { calls, note } = log();
    const [one, two] = [note('one'), note('two')];
    const context = {};
    const make = (): Emitter => new Emitter(v2).on('a', one).on('a', one, context).on('a', two).on('b', one);
    const after = async (change: (emitter: Emitter) => unknown): Promise<string> => {
      calls.length = 0;
      const emitter = make();
      change(emitter);
      await dispatch(emitter, new Event('a'));
      await dispatch(emitter, new Event('b'));
      return calls.join();
    };
    expect(await after(() => undefined)).toBe('one,one,two,one');
    expect(await after((emitter) => emitter.off('a', one, context))).toBe('one,two,one');
    expect(await after((emitter) => emitter.off('a', one))).toBe('two,one');
    expect(await after((emitter) => emitter.off({ a: one, b: one }))).toBe('two');
    expect(await after((emitter) => emitter.off('a'))).toBe('one');
    expect(await after((emitter) => emitter.off())).toBe('');
  });

  test('a handler that is no function is ignored', async () => {
    const emitter = new Emitter(v2).on('a', undefined);
    await dispatch(emitter, new Event('a'));
    expect(reported).not.toHaveBeenCalled();
  });
});

describe('addEventListener', () => {
  test('in the first era throws on misuse and adds a listener once; on adds it again', async () => {
    const emitter = new Emitter(v1);
    const { calls, note } = log();
    const listener = note('x');
    expect(() => {
      emitter.addEventListener('', listener);
    }).toThrow(/addEventListener/);
    expect(() => {
      emitter.addEventListener('a', undefined as unknown as Handler);
    }).toThrow(/listener/);
    expect(() => {
      emitter.removeEventListener('a', undefined as unknown as Handler);
    }).toThrow(/removeEventListener/);
    emitter.addEventListener('a', listener);
    emitter.addEventListener('a', listener);
    await dispatch(emitter, new Event('a'));
    expect(calls).toEqual(['x']);
    emitter.on('a', listener);
    await dispatch(emitter, new Event('a'));
    expect(calls).toEqual(['x', 'x', 'x']);
  });

  test('in the second era is another name of on', async () => {
    const emitter = new Emitter(v2);
    const { calls, note } = log();
    const listener = note('x');
    emitter.addEventListener('a', undefined as unknown as Handler);
    emitter.addEventListener('a', listener);
    emitter.addEventListener('a', listener);
    await dispatch(emitter, new Event('a'));
    expect(calls).toEqual(['x', 'x']);
    emitter.removeEventListener('a', listener);
    await dispatch(emitter, new Event('a'));
    expect(calls).toHaveLength(2);
  });

  test('a listener that is added again keeps its place, or takes a new one in the first builds', async () => {
    for (const [build, expected] of [
      ['0.91', ['other', 'repeated']],
      ['1.1', ['repeated', 'other']],
      ['2.0', ['repeated', 'other']],
    ] as const) {
      const { calls, note } = log();
      const emitter = new Emitter(FIRST_ERA[build]);
      const repeated = note('repeated');
      emitter.addEventListener('a', repeated);
      emitter.addEventListener('a', note('other'));
      emitter.addEventListener('a', repeated);
      await dispatch(emitter, new Event('a'));
      expect(calls, build).toEqual(expected);
    }
  });

  test('an object of the application is dispatched as it is', async () => {
    for (const era of [v1, v2]) {
      const emitter = new Emitter(era);
      const own = { type: 'a' } as Event;
      const heard = vi.fn();
      emitter.on('a', heard);
      await dispatch(emitter, own, heard);
      expect(heard.mock.calls).toEqual([[own], []]);
    }
  });

  test('a listener that an earlier one removes is still called in the first era, and not in the second', async () => {
    for (const [era, expected] of [
      [v1, ['first', 'second']],
      [v2, ['first']],
    ] as const) {
      const { calls, note } = log();
      const emitter = new Emitter(era);
      const second = note('second');
      emitter.on('a', () => {
        calls.push('first');
        emitter.off('a', second);
      });
      emitter.on('a', second);
      await dispatch(emitter, new Event('a'));
      expect(calls).toEqual(expected);
    }
  });
});

describe('default behaviour', () => {
  async function ended(handler: (event: SessionDisconnectEvent) => void): Promise<{
    event: SessionDisconnectEvent;
    happened: boolean;
  }> {
    const emitter = new Emitter(v2).on('sessionDisconnected', handler);
    const event = new SessionDisconnectEvent('clientDisconnected');
    let happened = false;
    await dispatch(emitter, event, () => {
      happened = true;
    });
    return { event, happened };
  }

  test('happens after every handler, unless one prevented it', async () => {
    expect((await ended(() => undefined)).happened).toBe(true);
    const { event, happened } = await ended((given) => {
      given.preventDefault();
    });
    expect(happened).toBe(false);
    expect(event.isDefaultPrevented()).toBe(true);
  });

  test('is not undone by preventing it later', async () => {
    const { event, happened } = await ended(() => undefined);
    event.preventDefault();
    expect(happened).toBe(true);
    expect(event.isDefaultPrevented()).toBe(false);
  });

  test('can be prevented inside a handler alone, not between two', async () => {
    const emitter = new Emitter(v1);
    const late: boolean[] = [];
    emitter.on('sessionDisconnected', (event: SessionDisconnectEvent) => {
      queueMicrotask(() => {
        event.preventDefault();
        late.push(event.isDefaultPrevented());
      });
    });
    emitter.on('sessionDisconnected', () => late.push(true));
    let happened = false;
    await dispatch(emitter, new SessionDisconnectEvent('clientDisconnected'), () => (happened = true));
    expect(late).toEqual([false, true]);
    expect(happened).toBe(true);
  });

  test('of an event that is not cancelable cannot be prevented', () => {
    const event = new Event('a');
    event.preventDefault();
    expect(event.isDefaultPrevented()).toBe(false);
  });

  test('a handler that throws stops neither the others nor the default, and its error is reported', async () => {
    const { calls, note } = log();
    const emitter = new Emitter(v2)
      .on('a', () => {
        throw new Error('broken');
      })
      .on('a', note('other'));
    await dispatch(emitter, new Event('a'), () => calls.push('default'));
    expect(calls).toEqual(['other', 'default']);
    expect(reported).toHaveBeenCalledWith(new Error('broken'));
  });
});

describe('each handler has a task of its own', () => {
  test.each([v1, v2])('between which promises go on, and the next event waits ($name)', async (era) => {
    const { calls, note } = log();
    const emitter = new Emitter(era);
    emitter.on('a', () => {
      calls.push('a1');
      queueMicrotask(() => calls.push('promise'));
      queueEvent(emitter, new Event('c'));
      emitter.on('b', note('b of a1'));
    });
    emitter.on('a', note('a2')).on('b', note('b')).on('c', note('c'));
    queueJob(() => {
      fire(emitter, new Event('a'), () => calls.push('default of a'));
      fire(emitter, new Event('b'));
      afterwards(() => calls.push('afterwards'));
      calls.push('same job');
    });
    queueJob(() => calls.push('next job'));
    await settled();
    expect(calls).toEqual([
      ...['same job', 'a1', 'promise', 'a2', 'default of a', 'b', 'b of a1'],
      ...['afterwards', 'next job', 'c'],
    ]);
  });

  test.each([v1, v2])('and once is once, though it named two events of one job ($name)', async (era) => {
    const { calls, note } = log();
    const emitter = new Emitter(era).once('a b', note('x'));
    queueJob(() => {
      fire(emitter, new Event('a'));
      fire(emitter, new Event('b'));
    });
    await settled();
    expect(calls).toEqual(['x']);
  });
});

describe('queued events', () => {
  test('never run inside the call that causes them, and keep their order', async () => {
    const { calls, note } = log();
    const emitter = new Emitter(v2);
    queueEvent(emitter, new Event('a'));
    emitter.dispatchEvent(new Event('b')).trigger('c', { extra: 1 });
    emitter
      .on('a', note('a'))
      .on('b', note('b'))
      .on('c', (event: { extra: number }) => {
        calls.push(`c${event.extra}`);
      });
    expect(calls).toEqual([]);
    await settled();
    expect(calls).toEqual(['a', 'b', 'c1']);
  });

  test('have the dispatcher as target', async () => {
    const emitter = new Emitter(v2);
    const event = new Event('a');
    emitter.dispatchEvent(event);
    await settled();
    expect(event.target).toBe(emitter);
  });

  test('need a type', () => {
    expect(() => new Emitter(v1).dispatchEvent({} as Event)).toThrow(/type/);
  });
});
