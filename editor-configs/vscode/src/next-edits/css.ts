/* The box with the new lines, as CSS for a decoration. Pure.
 *
 * VS Code's decorations put one line of text, without a position, after a line. What comes after `none;` in
 * `textDecoration` goes into the style sheet as it is, so that the text gets several lines and floats: nothing in the
 * editor moves. If VS Code should stop to pass it on, the first line of the text is still shown after the line.
 */

import type { Box } from "./picture";

/** The options of a decoration's `after` that make the box. */
export interface Attachment {
  readonly contentText: string;
  readonly textDecoration: string;
}

const INSERTED = "var(--vscode-diffEditor-insertedTextBackground, rgba(90, 160, 60, 0.3))";
const BORDER = "var(--vscode-editorHoverWidget-border, rgba(128, 128, 128, 0.6))";
const BACKGROUND = "var(--vscode-editorHoverWidget-background, var(--vscode-editor-background))";
const FOREGROUND = "var(--vscode-editor-foreground)";

/** A box of lines. `1lh` is the height of the editor's lines, `1ch` the width of a column. */
export function boxStyle({ where, column, lines, added }: Box): Attachment {
  const place: Record<string, string> =
    where === "right" ? { "margin-left": `${column}ch`, top: "0" } : { left: `${column}ch`, top: "1lh" };
  return attachment(lines.join("\n"), {
    ...place,
    "background": [...lines.flatMap((_, line) => added[line].map(([start, end]) => highlight(line, start, end))), BACKGROUND].join(", "),
    "color": FOREGROUND,
  });
}

/** A hint: one line in a frame after the line's text. */
export const hintStyle = (text: string): Attachment =>
  attachment(text, {
    "margin-left": "2ch",
    "top": "0",
    "background": BACKGROUND,
    "color": "var(--vscode-descriptionForeground)",
  });

function attachment(text: string, look: Record<string, string>): Attachment {
  const style = {
    "content": quoted(text),
    "position": "absolute",
    "z-index": "5",
    "white-space": "pre",
    "padding": "0 0.5ch",
    "font-style": "normal",
    "border-radius": "3px",
    // an outline takes no room: the lines of the box stand level with those of the document
    "outline": `1px solid ${BORDER}`,
    "pointer-events": "none",
    ...look,
    "background-origin": "content-box", // after `background`, which resets it
  };
  const rules = Object.entries(style).map(([name, value]) => `${name}: ${value}`);
  return { contentText: text.split("\n")[0], textDecoration: `none; ${rules.join("; ")}` };
}

/** A layer of the background behind some columns of a line. */
const highlight = (line: number, start: number, end: number) =>
  `linear-gradient(${INSERTED}, ${INSERTED}) ${start}ch ${line}lh / ${end - start}ch 1lh no-repeat`;

/** A string of CSS. Whatever could end it, or be read as markup, is written as its number. */
const quoted = (text: string) =>
  `"${text.replace(/[^\p{L}\p{N} .,:;()[\]=+*-]/gu, (char) => `\\${char.codePointAt(0)?.toString(16)} `)}"`;
