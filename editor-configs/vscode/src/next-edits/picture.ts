/* What is drawn for an edit: struck words, and a box with the new lines. Pure. */

import type { Place, Span, Step } from "./step";
import { difference, type Stretch } from "./words";

export interface Picture {
  /** Parts of lines that go. */
  readonly struck: Span[];
  /** Lines that go although nothing on them can be struck: they are blank, or are joined with the next. */
  readonly lines: number[];
  /** Where something is put between characters that stay. */
  readonly carets: Place[];
  readonly box?: Box;
}

export interface Box {
  /** The line that the box belongs to. It covers as many lines from there on as it has. */
  readonly line: number;
  /** To the right of the text, or below the line, over the text there. */
  readonly where: "right" | "below";
  /** Columns from the end of the line (`right`), or from the editor's left side (`below`). */
  readonly column: number;
  /** The new lines without the indentation that they share. */
  readonly lines: string[];
  /** What is new in each of them. */
  readonly added: Stretch[][];
}

/** What the picture is computed from. */
export interface Surroundings {
  readonly lineCount: number;
  line(number: number): string;
  /** Columns of a tab stop. */
  readonly tabSize: number;
}

/** A box has at most so many lines. More cover what one reads; the last line has the number of those left out. */
const MOST_LINES = 12;
/** Columns beyond which nothing is put to the right of the text: an editor of half a screen shows about 100. */
const RIGHT_MOST = 90;
/** Columns between text and box. */
const GAP = 2;

export function picture(step: Pick<Step, "range" | "text">, around: Surroundings): Picture {
  const { start, end } = step.range;
  const old: string[] = [];
  for (let line = start.line; line <= end.line; line++) old.push(around.line(line));
  const whole = old[0].slice(0, start.character) + step.text + old[old.length - 1].slice(end.character);
  const now = whole.split(/\r?\n/);
  // only the lines that differ
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
  const first = start.line + head;
  return drawn(first, old.slice(head, old.length - tail), now.slice(head, now.length - tail), around);
}

/** `old` are the lines from `first` on, and `now` takes their place. */
function drawn(first: number, old: string[], now: string[], around: Surroundings): Picture {
  if (!old.length) {
    if (!now.length) return { struck: [], lines: [], carets: [] };
    const above = Math.max(0, first - 1);
    return { struck: [], lines: [], carets: [], box: box(above, now, now.map((line) => [all(line)]), "below", around) };
  }
  if (!now.length) return { struck: old.flatMap((line, i) => spans(first + i, line, [all(line)])), lines: blankLines(first, old), carets: [] };
  const { removed, added } = difference(old.join("\n"), now.join("\n"));
  const goes = perLine(old, removed);
  const comes = perLine(now, added);
  const struck = old.flatMap((line, i) => spans(first + i, line, goes[i]));
  const nothingStruck = struck.length === 0 && removed.length > 0;
  const carets = removed.length ? [] : insertions(first, old, added);
  const lines = nothingStruck ? old.map((_, i) => first + i) : [];
  if (!added.length) return { struck, lines, carets };
  return { struck, lines, carets, box: box(first, now, comes, "right", around, first + old.length - 1) };
}

/** Places in the old text at which only something is added. */
function insertions(first: number, old: string[], added: Stretch[]): Place[] {
  const places: Place[] = [];
  let before = 0; // of the new text, so many characters were added so far
  const text = old.join("\n");
  for (const [start, end] of added) {
    const offset = start - before;
    before += end - start;
    const lines = text.slice(0, offset).split("\n");
    places.push({ line: first + lines.length - 1, character: lines[lines.length - 1].length });
  }
  return places;
}

/** A line without its indentation. */
const all = (line: string): Stretch => [line.length - line.trimStart().length, line.length];

const blankLines = (first: number, lines: string[]) => lines.flatMap((line, i) => (line.trim() ? [] : [first + i]));

const spans = (line: number, text: string, stretches: Stretch[]): Span[] =>
  stretches
    .filter(([start, end]) => text.slice(start, end).trim())
    .map(([start, end]) => ({ start: { line, character: start }, end: { line, character: end } }));

/** Stretches of the joined lines, divided into those of each line. */
function perLine(lines: string[], stretches: Stretch[]): Stretch[][] {
  let offset = 0;
  return lines.map((line) => {
    const from = offset;
    offset += line.length + 1;
    return stretches
      .map(([start, end]): Stretch => [Math.max(start - from, 0), Math.min(end - from, line.length)])
      .filter(([start, end]) => start < end);
  });
}

/** `last` is the line below which the box goes if there is no room to the right. */
function box(line: number, now: string[], added: Stretch[][], wanted: Box["where"], around: Surroundings, last = line): Box {
  const { tabSize } = around;
  const left = now.length > MOST_LINES ? now.length - (MOST_LINES - 1) : 0;
  const kept = left ? now.slice(0, MOST_LINES - 1) : now;
  const shared = Math.min(...kept.filter((text) => text.trim()).map((text) => all(text)[0]), Number.MAX_SAFE_INTEGER);
  const indentation = shared === Number.MAX_SAFE_INTEGER ? 0 : shared;
  const lines = kept.map((text) => expanded(text.slice(indentation), tabSize));
  const marks = kept.map((text, i) =>
    added[i]
      .filter(([, end]) => end > indentation)
      .map(([start, end]): Stretch => {
        const columns = (to: number) => width(text.slice(indentation, to), tabSize);
        return [columns(Math.max(start, indentation)), columns(end)];
      }),
  );
  if (left) {
    lines.push(`… ${left} more lines`);
    marks.push([]);
  }
  const column = width(kept[0].slice(0, indentation), tabSize);
  const widest = Math.max(...lines.map((text) => width(text, tabSize)));
  let covered = 0;
  for (let i = line; i < Math.min(line + lines.length, around.lineCount); i++) {
    covered = Math.max(covered, width(around.line(i), tabSize));
  }
  if (wanted === "right" && covered + GAP + widest <= RIGHT_MOST) {
    return { line, where: "right", column: covered + GAP - width(around.line(line), tabSize), lines, added: marks };
  }
  return { line: last, where: "below", column, lines, added: marks };
}

/** Columns that a text takes in a font of fixed width. */
export function width(text: string, tabSize: number): number {
  let columns = 0;
  for (const char of text) columns += char === "\t" ? tabSize - (columns % tabSize) : WIDE.test(char) ? 2 : 1;
  return columns;
}

/** Characters of East Asian scripts and pictographs take two columns. */
const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff00-\uff60]/u;

function expanded(text: string, tabSize: number): string {
  let out = "";
  for (const char of text) out += char === "\t" ? " ".repeat(tabSize - (width(out, tabSize) % tabSize)) : char;
  return out;
}
