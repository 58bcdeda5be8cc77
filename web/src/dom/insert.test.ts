import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { insertRoot, LateTarget } from './index.ts';

const missing = vi.fn();
const find = (id: string): HTMLElement | undefined => document.getElementById(id) ?? undefined;
const parsed = (): boolean => document.dispatchEvent(new Event('DOMContentLoaded'));

beforeEach(() => {
  missing.mockClear();
  document.body.innerHTML = '';
});
afterEach(() => {
  document.body.innerHTML = '';
});

describe('an element that the parser has yet to reach', () => {
  test('gives its place, its id and its attributes to the root', () => {
    const root = insertRoot(new LateTarget('later', find, missing), 'replace');
    expect([root.id, root.isConnected]).toEqual(['later', false]);
    document.body.innerHTML = '<p><i id="later" class="mine" title="here"></i></p>';
    parsed();
    expect(document.body.innerHTML).toBe('<p><div id="later" class="mine" title="here"></div></p>');
    expect(document.getElementById('later')).toBe(root);
    expect(missing).not.toHaveBeenCalled();
  });

  test.each([
    ['append', '<p id="later"><div></div></p>'],
    ['before', '<div></div><p id="later"></p>'],
    ['after', '<p id="later"></p><div></div>'],
  ] as const)('has the root where %s says', (mode, html) => {
    const root = insertRoot(new LateTarget('later', find, missing), mode, () => 'new');
    document.body.innerHTML = '<p id="later"></p>';
    parsed();
    expect(root.id).toBe('new');
    root.removeAttribute('id');
    expect(document.body.innerHTML).toBe(html);
  });

  test('is told to be missing when it never comes', () => {
    const root = insertRoot(new LateTarget('later', find, missing), 'replace');
    parsed();
    expect(root.isConnected).toBe(false);
    expect(missing).toHaveBeenCalledTimes(1);
  });

  test('is the body without an id', () => {
    const root = insertRoot(new LateTarget(null, find, missing), 'replace', () => 'new');
    parsed();
    expect([root.parentElement, root.id]).toEqual([document.body, 'new']);
  });

  test('gets nothing when the view is gone before', () => {
    const target = new LateTarget('later', find, missing);
    const root = insertRoot(target, 'replace');
    document.body.innerHTML = '<p id="later"></p>';
    target.cancel();
    parsed();
    expect([root.isConnected, missing.mock.calls.length]).toEqual([false, 0]);
  });
});

test('a root whose id another element had first gets one of its own', () => {
  document.body.innerHTML = '<p id="twice"></p><p id="twice"></p>';
  const second = document.querySelectorAll('p')[1] as HTMLElement;
  insertRoot(second, 'replace', () => 'new');
  expect(second.id).toBe('new');
});
