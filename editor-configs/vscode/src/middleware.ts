/* What is added to vscode-languageclient's ways: asking or not asking, and telling the server what became of its answers. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import type { Offers } from "./offers";
import { engineSettings, wanted } from "./settings";

const { Automatic, Invoke } = vscode.InlineCompletionTriggerKind;

export function middleware(offers: Offers): Middleware {
  return {
    async provideInlineCompletionItems(document, position, context, token, next) {
      if (!wanted(document)) return null;
      // An accept makes VS Code ask as if the user had, who would want alternatives.
      if (context.triggerKind === Invoke && offers.accepted(document, position)) context = { ...context, triggerKind: Automatic };
      const version = document.version;
      const answer = await next(document, position, context, token);
      if (!token.isCancellationRequested && document.version === version) {
        offers.offered(document, Array.isArray(answer) ? answer : (answer?.items ?? []));
      }
      return answer;
    },
    workspace: {
      // The server asks for the section `tabspec`; of that it gets what is its own.
      configuration: (params, token, next) =>
        params.items.every(({ section }) => section === "tabspec") ? params.items.map(engineSettings) : next(params, token),
    },
  };
}
