/* What is added to vscode-languageclient's ways: asking or not asking, and telling the server what became of its answers. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import type { Offers } from "./offers";
import { engineSettings, wanted } from "./settings";

export interface Counters {
  /** VS Code takes the request about to come for asked by the user, while it was this extension that asked. */
  followUp: boolean;
  /** Suggestions accepted in full so far. */
  accepted: number;
}

export function middleware(offers: Offers, counters: Counters): Middleware {
  return {
    async provideInlineCompletionItems(document, position, context, token, next) {
      if (!wanted(document)) return null;
      if (counters.followUp) context = { ...context, triggerKind: vscode.InlineCompletionTriggerKind.Automatic };
      const version = document.version;
      const answer = await next(document, position, context, token);
      if (!token.isCancellationRequested && document.version === version) {
        offers.offered(document, Array.isArray(answer) ? answer : (answer?.items ?? []));
      }
      return answer;
    },
    executeCommand(command, args, next) {
      if (command === "tabspec.accepted") counters.accepted += 1;
      return next(command, args);
    },
    workspace: {
      // The server asks for the section `tabspec`; of that it gets what is its own.
      configuration: (params, token, next) =>
        params.items.every(({ section }) => section === "tabspec") ? params.items.map(engineSettings) : next(params, token),
    },
  };
}
