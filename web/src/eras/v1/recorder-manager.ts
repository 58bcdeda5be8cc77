/** The RecorderManager of a page, which shows recorders and players. */
import { notSupported, type Page } from '../../api/index.ts';

/** The page's one RecorderManager. */
export function recorderManagerOf(_page: Page): object {
  throw notSupported('initRecorderManager');
}
