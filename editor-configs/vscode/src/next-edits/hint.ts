/* The hint of an edit that is out of sight, or that is shown only when it is asked for. Pure. */

import type { Place, Span, Step } from "./step";

export type Direction = "up" | "down" | "here" | "elsewhere";

export interface Hint {
  /** The line at which it stands. */
  readonly line: number;
  readonly direction: Direction;
  readonly text: string;
}

/** `visible` are the lines on the screen, in order; folded ones are left out. */
export function direction({ range: { start } }: Pick<Step, "range">, visible: readonly Span[], cursor: Place): Direction {
  // Some of the first line of the edit on the screen is enough to see it.
  if (!visible.length || visible.some((part) => part.start.line <= start.line && start.line <= part.end.line)) return "here";
  if (start.line < visible[0].start.line) return "up";
  if (start.line > visible[visible.length - 1].end.line) return "down";
  return start.line < cursor.line ? "up" : "down"; // folded away
}

const ARROWS = { up: "↑", down: "↓", here: "←", elsewhere: "→" };

/** `key` is what goes there, `file` the name of the other file. */
export function hint({ range }: Pick<Step, "range">, way: Direction, visible: readonly Span[], cursor: Place, key: string, file = ""): Hint {
  const number = range.start.line + 1;
  const places = { up: ` at line ${number}`, down: ` at line ${number}`, here: "", elsewhere: ` in ${file}:${number}` };
  const text = `${ARROWS[way]} next edit${places[way]} (${key})`;
  return { line: edge(range, way, visible, cursor), direction: way, text };
}

function edge(range: Span, way: Direction, visible: readonly Span[], cursor: Place): number {
  const first = visible[0]?.start.line ?? cursor.line;
  const last = visible[visible.length - 1]?.end.line ?? cursor.line;
  if (way === "here") return range.start.line;
  if (way === "elsewhere") return cursor.line;
  // The last line may be on the screen only in part.
  return way === "up" ? first : Math.max(first, last - 1);
}
