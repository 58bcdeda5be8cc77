// Where the tiles stand on the stage: pure geometry in CSS pixels.

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Place extends Size {
  readonly x: number;
  readonly y: number;
}

const WIDEST = 16 / 9;
const NARROWEST = 4 / 3;
/** On a stage that is higher than wide, faces may stand upright, as a phone's camera shows them. */
const NARROWEST_UPRIGHT = 3 / 4;

interface Grid {
  columns: number;
  rows: number;
  tile: Size;
}

/**
 * Places `count` equal tiles so that they cover as much of the stage as they can.
 *
 * A tile's shape lies between 16:9 and 4:3 (3:4 on an upright stage); video covers it. The block of tiles is centred, and
 * so is a last row that is not full. Returns `count` places in reading order, in whole pixels; a stage without room
 * yields tiles of size 0.
 */
export function placeTiles(stage: Size, count: number, gap = 12): Place[] {
  if (count <= 0) return [];
  const { columns, rows, tile } = bestGrid(stage, count, gap);
  const top = (stage.height - span(rows, tile.height, gap)) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = (stage.width - span(inRow, tile.width, gap)) / 2;
    return {
      x: Math.round(left + (index % columns) * (tile.width + gap)),
      y: Math.round(top + row * (tile.height + gap)),
      width: tile.width,
      height: tile.height,
    };
  });
}

function bestGrid(stage: Size, count: number, gap: number): Grid {
  const narrowest = stage.width < stage.height ? NARROWEST_UPRIGHT : NARROWEST;
  let best: Grid = { columns: 1, rows: count, tile: { width: 0, height: 0 } };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: Math.max(0, (stage.width - gap * (columns - 1)) / columns),
      height: Math.max(0, (stage.height - gap * (rows - 1)) / rows),
    };
    const tile = largestTile(cell, narrowest);
    if (tile.width * tile.height > best.tile.width * best.tile.height) best = { columns, rows, tile };
  }
  return best;
}

function largestTile(cell: Size, narrowest: number): Size {
  const ratio = Math.min(WIDEST, Math.max(narrowest, cell.width / cell.height || 0));
  const width = Math.min(cell.width, cell.height * ratio);
  return { width: Math.floor(width), height: Math.floor(width / ratio) };
}

function span(tiles: number, length: number, gap: number): number {
  return tiles * length + (tiles - 1) * gap;
}
