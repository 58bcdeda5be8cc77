import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { insertRoot, parseStyle, Widget, type WidgetOptions } from './index.ts';
import { cssSize, initialsOf } from './widget.ts';

const OPTIONS: WidgetOptions = {
  kind: 'subscriber',
  target: null,
  insertMode: 'replace',
  insertDefaultUI: true,
  width: 264,
  height: 198,
  fitMode: 'cover',
  mirror: false,
  showControls: true,
  name: 'Ida Klein',
  initials: '',
  style: {},
};

beforeEach(() => {
  document.body.innerHTML = '<main><x-tile id="box"><p>old</p></x-tile></main>';
});
afterEach(() => {
  document.body.innerHTML = '';
});

const box = (): HTMLElement => document.getElementById('box') as HTMLElement;
const widget = (changes: Partial<WidgetOptions> = {}): Widget => new Widget({ ...OPTIONS, ...changes });
const part = (within: Widget, name: string): HTMLElement => {
  const found = within.root.querySelector<HTMLElement>(`.${name}`);
  if (found === null) throw new Error(`there is no ${name}`);
  return found;
};

describe('insertion', () => {
  test('replace makes the target itself the root: tag and id stay, contents go', () => {
    const { root, id } = widget({ target: box() });
    expect(root).toBe(box());
    expect(root.tagName).toBe('X-TILE');
    expect(id).toBe('box');
    expect(root.textContent).not.toContain('old');
  });

  test.each([
    [
      'append',
      (root: Element) => {
        expect(root.parentElement).toBe(box());
      },
    ],
    [
      'before',
      (root: Element) => {
        expect(root.nextElementSibling).toBe(box());
      },
    ],
    [
      'after',
      (root: Element) => {
        expect(root.previousElementSibling).toBe(box());
      },
    ],
  ] as const)('%s makes a new div and leaves the target alone', (insertMode, check) => {
    const { root, id } = widget({ target: box(), insertMode });
    check(root);
    expect(root.tagName).toBe('DIV');
    expect(box().querySelector('p')?.textContent).toBe('old');
    expect(document.getElementById(id)).toBe(root);
  });

  test('without a target a div at the end of the body, with an id of ours', () => {
    const { root, id } = widget();
    expect(document.body.lastElementChild).toBe(root);
    expect(id).toMatch(/^OT_/);
    expect(insertRoot(null, 'replace').id).not.toBe(id);
  });

  test("without default UI nothing is inserted, and the video is the application's", () => {
    const before = document.body.innerHTML;
    const made = widget({ insertDefaultUI: false });
    expect(document.body.innerHTML).toBe(before);
    box().append(made.video);
    made.remove();
    expect(document.querySelector('video')).toBeNull();
  });
});

describe('the element', () => {
  test('has the classes, sizes and parts that applications look for', () => {
    const { root, video } = widget({
      target: box(),
      width: '50%',
      mirror: true,
      fitMode: 'contain',
      kind: 'publisher',
    });
    expect([...root.classList].sort()).toEqual([
      'OT_fit-mode-contain',
      'OT_loading',
      'OT_mirrored',
      'OT_publisher',
      'OT_root',
    ]);
    expect(root.style.width).toBe('50%');
    expect(root.style.height).toBe('198px');
    expect(root.querySelector('.OT_widget-container.OT_video-container > video.OT_video-element')).toBe(video);
    expect(video.autoplay).toBe(true);
    expect(video.hasAttribute('playsinline')).toBe(true);
    expect(
      root.querySelectorAll(
        '.OT_bar.OT_edge-bar-item.OT_mode-auto, .OT_name.OT_edge-bar-item.OT_mode-auto, .OT_mute.OT_edge-bar-item.OT_mode-auto',
      ),
    ).toHaveLength(3);
    expect(root.querySelector('.OT_audio-level-meter > .OT_audio-level-meter__value')).not.toBeNull();
  });

  test('shows the name as text, never as markup', () => {
    const made = widget({ name: '<img src=x onerror=alert(1)>' });
    expect(part(made, 'OT_name').textContent).toBe('<img src=x onerror=alert(1)>');
    expect(made.root.querySelector('img')).toBeNull();
  });

  test('keeps its picture out of sight until it is let be seen', () => {
    const made = widget();
    expect(made.video.style.visibility).toBe('hidden');
    made.setPictureVisible(true);
    expect(made.video.style.visibility).toBe('');
  });

  test('shows the poster with initials in place of a picture', () => {
    const made = widget();
    made.setAudioOnly(true);
    expect(made.root.classList.contains('OT_audio-only')).toBe(true);
    expect(part(made, 'OT_video-poster').textContent).toBe('IK');
    expect(part(widget({ initials: 'Z' }), 'OT_video-poster').textContent).toBe('Z');
  });

  test('has a mute button that says what it does', () => {
    const made = widget();
    let pressed = 0;
    made.onMutePressed = () => {
      pressed += 1;
    };
    const button = part(made, 'OT_mute');
    button.click();
    expect(pressed).toBe(1);
    expect(button.getAttribute('aria-label')).toBe('Mute sound');
    made.setMuted(true);
    expect(button.classList.contains('OT_active')).toBe(true);
    expect(button.getAttribute('aria-label')).toBe('Unmute sound');
  });

  test('without controls has none', () => {
    expect(widget({ showControls: false }).root.querySelector('.OT_edge-bar-item, .OT_audio-level-meter')).toBeNull();
  });

  test('changes the mode of its parts with the style', () => {
    const made = widget({ style: { nameDisplayMode: 'on' } });
    expect(part(made, 'OT_name').className).toContain('OT_mode-on');
    made.setStyle({ nameDisplayMode: 'off', buttonDisplayMode: 'on', backgroundImageURI: 'iVBORw0KGgo' });
    expect(part(made, 'OT_name').classList.contains('OT_mode-off')).toBe(true);
    expect(part(made, 'OT_name').classList.contains('OT_mode-on')).toBe(false);
    expect(part(made, 'OT_mute').classList.contains('OT_mode-on')).toBe(true);
    expect(part(made, 'OT_video-poster').style.backgroundImage).toContain('data:image/png;base64,iVBORw0KGgo');
    expect(made.getStyle()).toMatchObject({ nameDisplayMode: 'off', audioLevelDisplayMode: 'auto' });
  });

  test('is taken out of the page in every mode, even when the page moved or removed it itself', () => {
    const made = widget({ target: box() });
    document.body.append(made.root);
    made.remove();
    expect(document.getElementById('box')).toBeNull();
    const other = widget();
    other.root.parentNode?.removeChild(other.root);
    other.remove();
    expect(document.querySelector('.OT_root')).toBeNull();
  });

  test("brings its style sheet once, in front of the page's own", () => {
    widget();
    widget();
    expect(document.querySelectorAll('#tertulia-style')).toHaveLength(1);
    expect(document.head.firstElementChild?.id).toBe('tertulia-style');
  });
});

test('style keys and values that are unknown are complained of and ignored', () => {
  const complaints: string[] = [];
  const style = parseStyle(
    { nameDisplayMode: 'loud', buttonDisplayMode: 'off', colour: 'red', backgroundImageURI: null },
    (key) => complaints.push(key),
  );
  expect(style).toEqual({ buttonDisplayMode: 'off', backgroundImageURI: null });
  expect(complaints).toEqual(['nameDisplayMode', 'colour']);
});

test('sizes and initials', () => {
  expect([cssSize(12), cssSize('12'), cssSize('2.5em'), cssSize('50%')]).toEqual(['12px', '12px', '2.5em', '50%']);
  expect(['Ida Klein', 'ida', '', ' anna  maria  oz ', '👋 x'].map(initialsOf)).toEqual(['IK', 'I', '', 'AO', '👋X']);
});

test('the indicators say what is the matter, in words too', () => {
  const shown = widget();
  const disabled = part(shown, 'OT_video-disabled-indicator');
  expect(disabled.getAttribute('aria-hidden')).toBe('true');
  shown.setVideoDisabled('warning');
  expect([disabled.className, disabled.getAttribute('aria-label')]).toEqual([
    expect.stringContaining('OT_warning'),
    expect.stringContaining('slow'),
  ]);
  shown.setVideoDisabled('disabled');
  expect(disabled.className).toContain('OT_active');
  shown.setVideoDisabled('no');
  expect(disabled.className).not.toMatch(/OT_active|OT_warning/);
  const publisher = widget({ kind: 'publisher', target: box() });
  const light = part(publisher, 'OT_archiving');
  expect([...light.classList]).toEqual(expect.arrayContaining(['OT_archiving-off', 'OT_mode-off']));
  publisher.setArchiving(true);
  expect([...light.classList]).toEqual(expect.arrayContaining(['OT_archiving-on', 'OT_mode-on']));
  expect(part(publisher, 'OT_archiving-status').textContent).toBe('Recording');
  publisher.setStyle({ archiveStatusDisplayMode: 'off' });
  expect(light.classList.contains('OT_mode-off')).toBe(true);
});

test('the button for sound that waits is there when it is needed', () => {
  const shown = widget();
  const button = part(shown, 'OT_audio-blocked-indicator');
  let pressed = 0;
  shown.onUnblockPressed = () => (pressed += 1);
  shown.setAudioBlocked(true);
  expect([button.tabIndex, button.classList.contains('OT_active')]).toEqual([0, true]);
  button.click();
  expect(pressed).toBe(1);
  shown.setAudioBlocked(false);
  expect(button.tabIndex).toBe(-1);
});
