/* What Tab does while a next edit is on the screen. Pure. */

/** What matters for Tab. */
export interface Situation {
  /** `inline`: VS Code shows the edit as ghost text, and its own Tab accepts it. */
  readonly shown: "nothing" | "inline" | "hint" | "edit";
  /** A selection that is not empty, or several cursors. */
  readonly selecting: boolean;
  /** Only white space, or nothing, stands before the cursor on its line. */
  readonly inIndentation: boolean;
  /** The cursor is where the last jump or accept has put it. */
  readonly broughtHere: boolean;
  /** The cursor is on a line of the edit, in the edit's document. */
  readonly atEdit: boolean;
}

/** `user`: Tab does what it does without the extension. */
export type TabDoes = "user" | "jump" | "accept";

export function tabDoes({ shown, selecting, inIndentation, broughtHere, atEdit }: Situation): TabDoes {
  if (shown !== "edit" || selecting) return "user";
  if (inIndentation && !broughtHere) return "user";
  return atEdit ? "accept" : "jump";
}
