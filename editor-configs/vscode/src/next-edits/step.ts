/* One edit of a chain, and what a change of its document does to it. Pure. */

export interface Place {
  readonly line: number;
  readonly character: number;
}

export interface Span {
  readonly start: Place;
  readonly end: Place;
}

/** An element of `chain` in the answer to `tabspec/nextEdit`. */
export interface Step {
  readonly textDocument: { readonly uri: string; readonly version?: number | null };
  /** `text` takes the place of `range`, in the document as it is after the steps before this one. */
  readonly range: Span;
  readonly text: string;
  /** Where the cursor belongs after the edit, in the edited document. */
  readonly cursor: Place;
  /** Where the change begins, in the document before the edit. */
  readonly jump: Place;
  readonly source?: string;
  readonly command: { readonly command: string; readonly arguments: unknown[] };
}

/** The answer to `tabspec/nextEdit`. */
export interface Chain {
  readonly id: string;
  /** The version of the request's document that the chain is for. */
  readonly version: number;
  readonly chain: Step[];
}

/** A change of a document, as VS Code reports it: offsets are those before the change. */
export interface Change {
  readonly rangeOffset: number;
  readonly rangeLength: number;
  readonly text: string;
}

/** Where a step stood in its document before a change, and the text that it replaces. */
export interface Standing {
  readonly offset: number;
  readonly old: string;
}

export const equal = (a: Place, b: Place) => a.line === b.line && a.character === b.character;

const isAfter = (a: Place, b: Place) => a.line > b.line || (a.line === b.line && a.character > b.character);

export const same = (a: Step, b: Step) =>
  a.textDocument.uri === b.textDocument.uri &&
  a.text === b.text &&
  equal(a.range.start, b.range.start) &&
  equal(a.range.end, b.range.end);

/** Whether `place` lies on a line of the edit. */
export const onLines = ({ range }: Step, place: Place) => range.start.line <= place.line && place.line <= range.end.line;

/** The text of a document between two offsets. */
export type Slice = (start: number, end: number) => string;

/**
 * Whether `changes` have made exactly the edit, however the editor has divided it. `after` is the document after them;
 * `text` has its line ends.
 */
export function made({ offset, old }: Standing, text: string, changes: readonly Change[], after: Slice): boolean {
  const end = offset + old.length;
  const inside = changes.every((change) => offset <= change.rangeOffset && change.rangeOffset + change.rangeLength <= end);
  const grown = changes.reduce((sum, change) => sum + change.text.length - change.rangeLength, 0);
  return changes.length > 0 && inside && old.length + grown === text.length && after(offset, offset + text.length) === text;
}

/**
 * Where the edit stands after `changes` that do not touch it; undefined if one does. Text typed right beside it touches
 * it, as it may be the same word; white space does not.
 */
export function shifted({ offset, old }: Standing, changes: readonly Change[]): number | undefined {
  let to = offset;
  for (const { rangeOffset, rangeLength, text } of changes) {
    const blank = rangeLength === 0 && text.trim() === "";
    const end = rangeOffset + rangeLength;
    if (end < offset || (end === offset && blank)) to += text.length - rangeLength;
    else if (rangeOffset < offset + old.length || (rangeOffset === offset + old.length && !blank)) return undefined;
  }
  return to;
}

/**
 * Whether a cursor at `place` is still there after `changes`, so that VS Code reports no move of it: they come after it, as
 * those of the key Delete, or in lines above that stay as many.
 */
export function stays(place: Place, changes: readonly { readonly range: Span; readonly text: string }[]): boolean {
  return changes.every(({ range: { start, end }, text }) => {
    if (end.line < place.line) return text.split("\n").length - 1 === end.line - start.line;
    return isAfter(start, place) || (text === "" && equal(start, place));
  });
}

/** The step with its range beginning at `start`. Its text and the size of its range stay. */
export function moved(step: Step, start: Place): Step {
  const from = step.range.start;
  const move = ({ line, character }: Place): Place => ({
    line: line + start.line - from.line,
    character: line === from.line ? character + start.character - from.character : character,
  });
  const range = { start, end: move(step.range.end) };
  return { ...step, range, cursor: move(step.cursor), jump: move(step.jump) };
}
