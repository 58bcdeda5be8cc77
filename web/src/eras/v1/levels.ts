/** Log levels of the first era: their numbers by build, and the element of the page that shows the lines. */
import { configureLog, LEVELS, logger, setLevel } from '../../logger.ts';
import type { Build } from './build.ts';

const CONSOLE_ID = 'opentok_console';
/** Lines that the page's own console element keeps; older ones go. */
const KEPT_LINES = 500;

/** Silence until the page asks for more. */
export function quietLog({ levels }: Build): void {
  configureLog(levels, showLine);
  setLevel(LEVELS.NONE);
}

/** Sets the level; the version is told once, at DEBUG. */
export function makeLevelSetter({ levels }: Build, version: string): (level: unknown) => void {
  let told = false;
  return (wanted) => {
    const level = Number.isFinite(Number(wanted)) ? Number(wanted) : LEVELS.NONE;
    setLevel(level);
    if (told || level < levels.DEBUG) return;
    told = true;
    logger.debug(`version ${version}`);
  };
}

function showLine(line: string): void {
  const box = document.getElementById(CONSOLE_ID);
  if (box === null) return;
  const row = document.createElement('div');
  row.textContent = line;
  box.append(row);
  while (box.childElementCount > KEPT_LINES) box.firstElementChild?.remove();
}
