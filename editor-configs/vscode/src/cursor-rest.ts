/* Tells the server where the cursor rests, so that it may prepare for what is typed there. */

import * as vscode from "vscode";
import type { Channel } from "./offers";
import { wanted } from "./settings";

/** Milliseconds for which the cursor must stay: longer than the interval of a repeating key. */
const REST_MS = 300;

/** The server, and when it begins to run. */
interface Listener extends Pick<Channel, "notify"> {
  readonly onDidChangePhase: vscode.Event<void>;
}

export class CursorRest implements vscode.Disposable {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly subscriptions: vscode.Disposable;

  constructor(private readonly server: Listener) {
    this.subscriptions = vscode.Disposable.from(
      // Also after typing: the server ignores a place for which it has a suggestion.
      vscode.window.onDidChangeTextEditorSelection(() => this.moved()),
      vscode.window.onDidChangeActiveTextEditor(() => this.moved()),
      server.onDidChangePhase(() => this.moved()),
    );
  }

  dispose(): void {
    this.stop();
    this.subscriptions.dispose();
  }

  private stop(): void {
    clearTimeout(this.timer);
  }

  private moved(): void {
    this.stop();
    this.timer = setTimeout(() => this.rested(), REST_MS);
  }

  private rested(): void {
    const editor = vscode.window.activeTextEditor;
    if (!editor?.selection.isEmpty || !wanted(editor.document)) return;
    const { line, character } = editor.selection.active;
    this.server.notify("tabspec/cursorRested", { uri: editor.document.uri.toString(), position: { line, character } });
  }
}
