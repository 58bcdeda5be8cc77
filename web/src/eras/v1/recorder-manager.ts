/** The RecorderManager of a page, which shows recorders and players. */
import { Emitter, type Page } from '../../api/index.ts';
import type { Properties } from '../../options.ts';
import { numberedId } from './element.ts';
import { misuse } from './exceptions.ts';
import { Player } from './player.ts';
import { Recorder } from './recorder.ts';

export class RecorderManager extends Emitter {
  readonly #page: Page;

  constructor(page: Page) {
    super(page.era);
    this.#page = page;
  }

  /** `(token [, replaceElementId [, properties]])`. Throws without a token, and for an absent element. */
  displayRecorder(token?: unknown, replaceElementId?: unknown, properties?: unknown): Recorder {
    if (!isText(token)) throw misuse('RecorderManager', 'displayRecorder', 'the token is missing');
    const target = placeOf('displayRecorder', replaceElementId);
    return new Recorder(this.#page, target, propertiesOf(properties));
  }

  removeRecorder(recorder?: unknown): void {
    if (!(recorder instanceof Recorder)) throw misuse('RecorderManager', 'removeRecorder', 'a Recorder is required');
    recorder._destroy('clientDisconnected');
  }

  /** `(archiveId, token [, replaceElementId [, properties]])`. Throws without an archive id or token. */
  displayPlayer(archiveId?: unknown, token?: unknown, replaceElementId?: unknown, properties?: unknown): Player {
    if (!isText(archiveId)) throw misuse('RecorderManager', 'displayPlayer', 'the id of the archive is missing');
    if (!isText(token)) throw misuse('RecorderManager', 'displayPlayer', 'the token is missing');
    const place = placeOf('displayPlayer', replaceElementId);
    return new Player(this.#page, numberedId('player_'), archiveId, place, propertiesOf(properties));
  }

  removePlayer(player?: unknown): void {
    if (!(player instanceof Player)) throw misuse('RecorderManager', 'removePlayer', 'a Player is required');
    player._root.remove();
  }
}

const managers = new WeakMap<Page, RecorderManager>();

/** The page's one RecorderManager. */
export function recorderManagerOf(page: Page): RecorderManager {
  const known = managers.get(page);
  if (known !== undefined) return known;
  const made = new RecorderManager(page);
  managers.set(page, made);
  return made;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function propertiesOf(properties: unknown): Properties {
  return typeof properties === 'object' && properties !== null ? (properties as Properties) : {};
}

function placeOf(method: string, replaceElementId: unknown): HTMLElement | null {
  if (replaceElementId === undefined || replaceElementId === null || replaceElementId === '') return null;
  const found =
    replaceElementId instanceof HTMLElement ? replaceElementId : document.getElementById(String(replaceElementId));
  if (found === null)
    throw misuse('RecorderManager', method, `there is no element with the id "${String(replaceElementId)}"`);
  return found;
}
