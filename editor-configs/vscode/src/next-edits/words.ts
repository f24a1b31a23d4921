/* The words in which two texts differ. Pure. */

/** A stretch of a text: two offsets. */
export type Stretch = readonly [start: number, end: number];

export interface Difference {
  /** In the old text, what goes. */
  readonly removed: Stretch[];
  /** In the new text, what comes. */
  readonly added: Stretch[];
}

// The table of the comparison has a cell for each pair of words. 250,000 cells take about a millisecond; texts with more
// words are shown as replaced.
const MOST_CELLS = 250_000;

/** A word, a run of blanks, or any other single character. A pair of surrogates is one. */
const WORD = /[\p{L}\p{N}_]+|[ \t]+|\r?\n|[^]/gu;

/** The shortest difference in words. What differs in two places with only blanks between differs as a whole. */
export function difference(before: string, after: string): Difference {
  const old = before.match(WORD) ?? [];
  const now = after.match(WORD) ?? [];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let oldEnd = old.length;
  let nowEnd = now.length;
  while (oldEnd > head && nowEnd > head && old[oldEnd - 1] === now[nowEnd - 1]) oldEnd--, nowEnd--;
  const kept = keptWords(old.slice(head, oldEnd), now.slice(head, nowEnd));
  return {
    removed: stretches(old, head, oldEnd, new Set(kept.map(([i]) => i + head))),
    added: stretches(now, head, nowEnd, new Set(kept.map(([, j]) => j + head))),
  };
}

/** The longest common subsequence, as pairs of indices. Blanks alone are worth little: they hold nothing together. */
function keptWords(old: readonly string[], now: readonly string[]): [number, number][] {
  const width = now.length + 1;
  if ((old.length + 1) * width > MOST_CELLS) return [];
  const best = new Int32Array((old.length + 1) * width);
  const worth = (word: string) => (word.trim() ? 100 : 1);
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const skipped = Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
      const taken = old[i] === now[j] ? best[(i + 1) * width + j + 1] + worth(old[i]) : 0;
      best[i * width + j] = Math.max(skipped, taken);
    }
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < old.length && j < now.length; ) {
    if (old[i] === now[j] && best[i * width + j] === best[(i + 1) * width + j + 1] + worth(old[i])) pairs.push([i++, j++]);
    else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++;
    else j++;
  }
  return pairs;
}

/** The words from `first` to before `last` that are not kept, as stretches of the text. */
function stretches(words: readonly string[], first: number, last: number, kept: ReadonlySet<number>): Stretch[] {
  const text = words.join("");
  const found: [number, number][] = [];
  let offset = 0;
  words.forEach((word, index) => {
    const end = offset + word.length;
    if (index >= first && index < last && !kept.has(index)) {
      const before = found.at(-1);
      if (before && /^[ \t]*$/.test(text.slice(before[1], offset))) before[1] = end;
      else found.push([offset, end]);
    }
    offset = end;
  });
  return found;
}
