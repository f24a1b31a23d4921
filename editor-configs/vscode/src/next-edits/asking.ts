/* Asks the server for next edits: once what the user does has settled, and one request at a time. */

import * as vscode from "vscode";
import type { Chain } from "./step";

/** What of the server is used here. */
export interface Requests {
  request<T>(method: string, params: object, token: vscode.CancellationToken): Promise<T | undefined>;
}

/**
 * Milliseconds after a change: as long as VS Code (1.139) waits before it asks for inline completions, with which a next
 * edit competes. After a move of the cursor: so long that a model is not asked at each place that the cursor passes, as in
 * cursor-rest.ts.
 */
const SETTLED_MS = { changed: 50, moved: 300 };

/** Why it is asked. After `moved`, VS Code asks for no completion, so that the edit competes with none. */
export type Cause = "changed" | "moved";

export class Asking {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private waiting: Cause | undefined;
  private running: vscode.CancellationTokenSource | undefined;

  constructor(
    private readonly server: Requests,
    private readonly answered: (answer: Chain | undefined, document: vscode.TextDocument) => void,
  ) {}

  /** Whether an answer is outstanding, or a request is about to be sent. */
  get busy(): boolean {
    return this.waiting !== undefined || this.running !== undefined;
  }

  /** Ask when nothing has happened for a moment. A move that a change brings with it is a part of the change. */
  soon(cause: Cause): void {
    if (this.waiting === "changed") cause = "changed";
    this.stop();
    this.waiting = cause;
    this.timer = setTimeout(() => this.now(cause), SETTLED_MS[cause]);
  }

  now(cause: Cause): void {
    this.stop();
    const editor = vscode.window.activeTextEditor;
    if (editor) void this.ask(editor, cause);
  }

  /** Forget what was asked: its answer would be too late. */
  stop(): void {
    clearTimeout(this.timer);
    this.waiting = undefined;
    this.running?.cancel();
    this.running = undefined;
  }

  private async ask({ document, selection }: vscode.TextEditor, cause: Cause): Promise<void> {
    const running = (this.running = new vscode.CancellationTokenSource());
    const { version, uri } = document;
    const { line, character } = selection.active;
    const completions = vscode.workspace.getConfiguration("editor.inlineSuggest", document).get("enabled", true);
    const params = {
      textDocument: { uri: uri.toString(), version },
      position: { line, character },
      editsOnly: cause === "moved" || !completions,
    };
    // A server without next edits, or whose document is a moment behind, answers with an error: there is no edit.
    const answer = await this.server.request<Chain | null>("tabspec/nextEdit", params, running.token).catch(() => undefined);
    if (this.running !== running) return;
    this.running = undefined;
    if (document.version === version) this.answered(answer ?? undefined, document);
  }
}
