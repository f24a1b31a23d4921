/* Next edits drawn as decorations: in one editor at a time. */

import * as vscode from "vscode";
import { boxStyle, hintStyle } from "./css";
import type { Hint } from "./hint";
import type { Picture } from "./picture";
import type { Place, Span } from "./step";

const range = ({ start, end }: Span) => new vscode.Range(start.line, start.character, end.line, end.character);
const empty = ({ line, character }: Place) => new vscode.Range(line, character, line, character);

/** Where something follows a line: VS Code takes what lies beyond the line's end back to its end. */
const endOf = (line: number) => new vscode.Range(line, Number.MAX_SAFE_INTEGER, line, Number.MAX_SAFE_INTEGER);

export class Drawing implements vscode.Disposable {
  private editor: vscode.TextEditor | undefined;
  private last = "";
  private readonly struck: vscode.TextEditorDecorationType;
  private readonly lines: vscode.TextEditorDecorationType;
  private readonly caret: vscode.TextEditorDecorationType;
  private readonly floating: vscode.TextEditorDecorationType;
  private readonly icons: Record<"here" | "up" | "down", vscode.TextEditorDecorationType>;

  constructor(extension: vscode.Uri) {
    const create = vscode.window.createTextEditorDecorationType;
    const removed = new vscode.ThemeColor("diffEditor.removedTextBackground");
    const closed = vscode.DecorationRangeBehavior.ClosedClosed;
    this.struck = create({ backgroundColor: removed, textDecoration: "line-through", rangeBehavior: closed });
    this.lines = create({ backgroundColor: removed, isWholeLine: true });
    this.caret = create({ border: "0 solid", borderColor: new vscode.ThemeColor("charts.green"), rangeBehavior: closed,
      before: { contentText: "\u200b", textDecoration: "none; border-left: 2px solid var(--vscode-charts-green); margin-left: -1px; margin-right: -1px" } });
    this.floating = create({ rangeBehavior: closed });
    const icon = (name: string) =>
      create({
        gutterIconPath: vscode.Uri.joinPath(extension, "images", `next-edit-${name}.svg`),
        gutterIconSize: "contain",
        overviewRulerColor: new vscode.ThemeColor("charts.blue"),
        overviewRulerLane: vscode.OverviewRulerLane.Center,
      });
    this.icons = { here: icon("here"), up: icon("up"), down: icon("down") };
  }

  dispose(): void {
    for (const type of this.types()) type.dispose();
  }

  /** Takes away what was drawn. */
  clear(): void {
    if (!this.editor) return;
    for (const type of this.types()) this.editor.setDecorations(type, []);
    this.editor = undefined;
    this.last = "";
  }

  /** The edit, drawn where it is. */
  edit(editor: vscode.TextEditor, line: number, { struck, lines, carets, box }: Picture): void {
    this.draw(editor, "here", line, {
      struck: struck.map(range),
      lines: lines.map((number) => new vscode.Range(number, 0, number, 0)),
      carets: carets.map(empty),
      floating: box ? [{ range: endOf(box.line), renderOptions: { after: boxStyle(box) } }] : [],
    });
  }

  /** A hint of it. */
  hint(editor: vscode.TextEditor, { line, direction, text }: Hint): void {
    const floating = [{ range: endOf(line), renderOptions: { after: hintStyle(text) } }];
    this.draw(editor, direction === "up" || direction === "down" ? direction : "here", line, { struck: [], lines: [], carets: [], floating });
  }

  private draw(editor: vscode.TextEditor, icon: keyof Drawing["icons"], line: number, parts: Parts): void {
    const wanted = JSON.stringify([editor.document.version, icon, line, parts]);
    if (this.editor !== editor) this.clear();
    else if (this.last === wanted) return;
    this.editor = editor;
    this.last = wanted;
    editor.setDecorations(this.struck, parts.struck);
    editor.setDecorations(this.lines, parts.lines);
    editor.setDecorations(this.caret, parts.carets);
    editor.setDecorations(this.floating, parts.floating);
    for (const [name, type] of Object.entries(this.icons)) {
      editor.setDecorations(type, name === icon ? [new vscode.Range(line, 0, line, 0)] : []);
    }
  }

  private types(): vscode.TextEditorDecorationType[] {
    return [this.struck, this.lines, this.caret, this.floating, ...Object.values(this.icons)];
  }
}

interface Parts {
  struck: vscode.Range[];
  lines: vscode.Range[];
  carets: vscode.Range[];
  floating: vscode.DecorationOptions[];
}
