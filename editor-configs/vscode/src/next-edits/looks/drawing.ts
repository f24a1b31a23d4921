/* Next edits drawn as decorations: in one editor at a time. */

import * as vscode from "vscode";
import { boxStyle, hintStyle } from "./css";
import type { Hint } from "./hint";
import type { Picture } from "./picture";
import type { Place } from "../step";
import { range } from "../workbench";

const empty = ({ line, character }: Place) => new vscode.Range(line, character, line, character);

/** Where something follows a line: VS Code takes what lies beyond the line's end back to its end. */
const endOf = (line: number) => new vscode.Range(line, Number.MAX_SAFE_INTEGER, line, Number.MAX_SAFE_INTEGER);

export class Drawing implements vscode.Disposable {
  private editor: vscode.TextEditor | undefined;
  /** What was last sent to VS Code for each type; nothing for a type that is not drawn. */
  private readonly sent = new Map<vscode.TextEditorDecorationType, string>();
  private readonly struck: vscode.TextEditorDecorationType;
  private readonly lines: vscode.TextEditorDecorationType;
  private readonly caret: vscode.TextEditorDecorationType;
  private readonly rule: vscode.TextEditorDecorationType;
  private readonly floating: vscode.TextEditorDecorationType;
  private readonly icons: Record<"here" | "up" | "down", vscode.TextEditorDecorationType>;

  constructor(extension: vscode.Uri) {
    const create = vscode.window.createTextEditorDecorationType;
    const removed = new vscode.ThemeColor("diffEditor.removedTextBackground");
    const closed = vscode.DecorationRangeBehavior.ClosedClosed;
    this.struck = create({ backgroundColor: removed, textDecoration: "line-through", rangeBehavior: closed });
    this.lines = create({ backgroundColor: removed, isWholeLine: true });
    // a bar that takes no room
    const bar = "none; border-left: 2px solid var(--vscode-charts-green); margin-left: -1px; margin-right: -1px";
    this.caret = create({ rangeBehavior: closed, before: { contentText: "\u200b", textDecoration: bar } });
    this.rule = create({ isWholeLine: true, borderStyle: "solid", borderWidth: "0 0 1px 0", borderColor: new vscode.ThemeColor("charts.green") });
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
    for (const type of this.sent.keys()) this.editor.setDecorations(type, []);
    this.sent.clear();
    this.editor = undefined;
  }

  /** The edit, drawn where it is in `version` of the document. */
  edit(editor: vscode.TextEditor, version: number, line: number, { struck, lines, carets, below, box }: Picture): void {
    this.draw(editor, version, "here", line, {
      struck: struck.map(range),
      lines: lines.map((number) => new vscode.Range(number, 0, number, 0)),
      carets: carets.map(empty),
      rule: below === undefined ? [] : [new vscode.Range(below, 0, below, 0)],
      floating: box ? [{ range: endOf(box.line), renderOptions: { after: boxStyle(box) } }] : [],
    });
  }

  /** A hint of it. */
  hint(editor: vscode.TextEditor, version: number, { line, direction, text }: Hint): void {
    const floating = [{ range: endOf(line), renderOptions: { after: hintStyle(text) } }];
    this.draw(editor, version, direction === "up" || direction === "down" ? direction : "here", line, { struck: [], lines: [], carets: [], rule: [], floating });
  }

  private draw(editor: vscode.TextEditor, version: number, icon: keyof Drawing["icons"], line: number, parts: Parts): void {
    if (this.editor !== editor) this.clear();
    this.editor = editor;
    this.put(this.struck, version, parts.struck);
    this.put(this.lines, version, parts.lines);
    this.put(this.caret, version, parts.carets);
    this.put(this.rule, version, parts.rule);
    this.put(this.floating, version, parts.floating);
    for (const [name, type] of Object.entries(this.icons)) {
      this.put(type, version, name === icon ? [new vscode.Range(line, 0, line, 0)] : []);
    }
  }

  /** Each message costs time between Tab and the next edit: none is sent for what is drawn already. */
  private put(type: vscode.TextEditorDecorationType, version: number, ranges: vscode.Range[] | vscode.DecorationOptions[]): void {
    // a change of the document moves what is drawn, so that the same ranges in another version are sent again
    const wanted = ranges.length ? JSON.stringify([version, ranges]) : undefined;
    if (this.sent.get(type) === wanted) return;
    if (wanted) this.sent.set(type, wanted);
    else this.sent.delete(type);
    this.editor?.setDecorations(type, ranges);
  }

  private types(): vscode.TextEditorDecorationType[] {
    return [this.struck, this.lines, this.caret, this.rule, this.floating, ...Object.values(this.icons)];
  }
}

interface Parts {
  struck: vscode.Range[];
  lines: vscode.Range[];
  carets: vscode.Range[];
  rule: vscode.Range[];
  floating: vscode.DecorationOptions[];
}
