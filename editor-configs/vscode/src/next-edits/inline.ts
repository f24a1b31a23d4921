/* Whether VS Code shows an edit as an inline completion (ghost text). Pure. */

import type { Place, Step } from "./step";

/**
 * VS Code's own rule, without its exceptions: the cursor stands in the edit's range, which is a part of one line; what is
 * before the cursor begins the new text, and what is after it is a subsequence of the rest. An edit of several lines
 * must be at the end of its line.
 */
export function shownInline({ range, text }: Pick<Step, "range" | "text">, line: string, cursor: Place): boolean {
  const { start, end } = range;
  if (start.line !== end.line || cursor.line !== start.line) return false;
  if (cursor.character < start.character || cursor.character > end.character) return false;
  const before = line.slice(start.character, cursor.character);
  const after = line.slice(cursor.character, end.character);
  if (!text.startsWith(before) || text.length <= before.length + after.length) return false;
  if (text.includes("\n") && cursor.character < line.length) return false;
  return subsequence(after, text.slice(before.length));
}

function subsequence(part: string, whole: string): boolean {
  let found = 0;
  for (const char of whole) if (part.startsWith(char, found)) found += char.length;
  return found === part.length;
}
