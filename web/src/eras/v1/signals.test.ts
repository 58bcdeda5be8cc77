import { describe, expect, test, vi } from 'vitest';
import { FakePage } from '../../testing/index.ts';
import { FIRST_ERA } from './index.ts';
import { givenSignal, saidBy } from './signals.ts';

describe('what a signal says', () => {
  test.each([{ a: [1, null] }, 5, true, '', 'hello', '5', '{"a":1}', 'null', 'half {', '"quoted"'])(
    'is read as it was written: %j',
    (value) => {
      const [signal] = givenSignal({ data: value }, undefined).signals;
      expect(typeof signal?.['data']).toBe('string');
      expect(saidBy(signal?.['data'] as string)).toEqual(value);
    },
  );

  test('is plain text to the other generations where it can be', () => {
    expect(givenSignal({ data: 'hello' }, undefined).signals).toEqual([{ data: 'hello' }]);
    expect(givenSignal(undefined, undefined).signals).toEqual([{}]);
  });
});

describe('a signal of the first WebRTC builds', () => {
  test('goes to several receivers, or to the Session', async () => {
    const page = await new FakePage(FIRST_ERA['2.0']).connected();
    page.session.signal({ to: [{ connectionId: 'a' }, { connectionId: 'b' }], type: 'chat', data: { x: 1 } });
    page.session.signal({ to: page.session, data: 'all' });
    await page.calm();
    expect(page.world.socket.of('signal')).toEqual([
      { type: 'signal', to: 'a', signalType: 'chat', data: '{"x":1}' },
      { type: 'signal', to: 'b', signalType: 'chat', data: '{"x":1}' },
      { type: 'signal', data: 'all' },
    ]);
  });

  test('tells its own handlers, and then no exception', async () => {
    const page = await new FakePage(FIRST_ERA['2.0']).connected();
    const [success, error] = [vi.fn(), vi.fn()];
    page.session.signal({ data: 'x', success, error });
    page.session.signal({ type: 'two words', success, error });
    await page.calm();
    expect(success).toHaveBeenCalledTimes(1);
    expect(error).toHaveBeenCalledWith(expect.objectContaining({ code: 400 }));
    expect(page.log).toEqual([]);
    page.session.signal({ type: 'two words' });
    await page.calm();
    expect(page.log).toHaveLength(1);
  });

  test('carries its JSON value to listeners', async () => {
    const page = await new FakePage(FIRST_ERA['2.0']).connected();
    const heard = vi.fn();
    page.session.on('signal', heard);
    page.server.tell({ type: 'signal', from: 'ann', data: '{"x":1}' });
    await page.calm();
    expect(heard).toHaveBeenCalledWith(expect.objectContaining({ data: { x: 1 } }));
  });
});
