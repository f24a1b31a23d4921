/* What of a step is drawn in an editor: the edit where it is, or a hint of it. */

import * as vscode from "vscode";
import { nextEditsMode } from "../../settings";
import { Drawing } from "./drawing";
import { direction, hint, type Direction } from "./hint";
import { shownInline } from "../inline";
import type { Offer } from "../offer";
import { edited, picture, type Surroundings } from "./picture";
import type { Place, Step } from "../step";
import { lineOf } from "../workbench";

export class Screen implements vscode.Disposable {
  private readonly drawing: Drawing;

  constructor(extension: vscode.Uri) {
    this.drawing = new Drawing(extension);
  }

  dispose(): void {
    this.drawing.dispose();
  }

  clear(): void {
    this.drawing.clear();
  }

  /** Draws the first step. `key` is the one that goes there. `arrived`: the cursor has just been put there. */
  show(editor: vscode.TextEditor, { steps: [step], revealed }: Offer, key: string, arrived: boolean): void {
    const cursor = editor.selection.active;
    const { version } = editor.document;
    this.draw(editor, version, step, revealed, key, surroundings(editor), cursor, arrived ? "here" : direct(editor, step, cursor));
  }

  /** Draws what follows the first step, as if that were made already. */
  showNext(editor: vscode.TextEditor, { steps: [step, next], revealed }: Offer, key: string): void {
    const around = edited(surroundings(editor), step);
    const ghost = next && shownInline(next, around.line(step.cursor.line), step.cursor);
    const version = editor.document.version + 1;
    if (next && !ghost) this.draw(editor, version, next, revealed, key, around, step.cursor, direct(editor, next, step.cursor));
    else this.clear();
  }

  private draw(editor: vscode.TextEditor, version: number, step: Step, revealed: boolean, key: string, around: Surroundings, cursor: Place, way: Direction): void {
    if (way === "here" && isRevealed(editor, revealed)) {
      return this.drawing.edit(editor, version, step.range.start.line, picture(step, around));
    }
    const file = vscode.workspace.asRelativePath(vscode.Uri.parse(step.textDocument.uri));
    this.drawing.hint(editor, version, hint(step, way, editor.visibleRanges, cursor, key, file));
  }
}

/** Whether the edit is shown, and not only a hint of it. `asked`: the user has asked to see it. */
export const isRevealed = ({ document }: vscode.TextEditor, asked: boolean) => asked || nextEditsMode(document) === "shown";

/** Where a step is, seen from a place in an editor. */
export const direct = ({ document, visibleRanges }: vscode.TextEditor, step: Step, from: Place): Direction =>
  document.uri.toString() === step.textDocument.uri ? direction(step, visibleRanges, from) : "elsewhere";

function surroundings({ document, options }: vscode.TextEditor): Surroundings {
  return { lineCount: document.lineCount, line: (number) => lineOf(document, number), tabSize: Number(options.tabSize) || 4 };
}
