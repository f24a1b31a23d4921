/* What is added to vscode-languageclient's ways: asking or not asking, and telling the server what became of its answers. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import type { NextEdits } from "./next-edits/next-edits";
import { ASK_AT_ONCE, type Offers } from "./offers";
import { engineSettings, nextEditsMode, wanted } from "./settings";

const { Automatic, Invoke } = vscode.InlineCompletionTriggerKind;

export function middleware(offers: Offers, nextEdits: NextEdits): Middleware {
  return {
    async provideInlineCompletionItems(document, position, context, token, next) {
      if (!wanted(document)) return null;
      const edits = nextEdits.insteadOfCompletions(document, position, context.triggerKind === Invoke);
      if (edits) {
        offers.offered(document, []);
        for (const edit of edits) edit.command = ASK_AT_ONCE;
        return edits;
      }
      // After an accept, VS Code sends a request as if the user had asked for alternatives.
      if (context.triggerKind === Invoke && offers.accepted(document, position)) context = { ...context, triggerKind: Automatic };
      const version = document.version;
      const answer = await next(document, position, context, token);
      if (token.isCancellationRequested || document.version !== version) return answer;
      if (leftBehind(document, position)) return null;
      const items = Array.isArray(answer) ? answer : (answer?.items ?? []);
      offers.offered(document, items);
      if (items.length) nextEdits.completed(document);
      return answer;
    },
    // The server's only code action is the next edit.
    provideCodeActions: (document, range, context, token, next) =>
      wanted(document) && nextEditsMode(document) !== "off" ? next(document, range, context, token) : null,
    workspace: {
      // The server requests the section `tabspec`, and gets the server's settings in it.
      configuration: (params, token, next) =>
        params.items.every(({ section }) => section === "tabspec") ? params.items.map(engineSettings) : next(params, token),
    },
  };
}

/**
 * Whether the cursor has moved on since it was at `position`. VS Code (1.139) cancels no request then, if no suggestion was
 * on the screen, and would show what it gets when the cursor comes back: beside an edit that is there by then.
 */
function leftBehind(document: vscode.TextDocument, position: vscode.Position): boolean {
  const editor = vscode.window.activeTextEditor;
  return editor?.document === document && !editor.selection.active.isEqual(position);
}
