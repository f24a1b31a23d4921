/* VS Code's own way to show edits anywhere. It belongs to the proposed API `inlineCompletionsAdditions`, which is there only
 * in a package that declares it (dist/tabspec-proposed.vsix), and where the user has switched it on
 * (`code --enable-proposed-api tabspec.tabspec`).
 */

import * as vscode from "vscode";

/** VS Code throws at members of proposals that are not switched on; versions without the proposal have none. */
export function hasProposedApi(): boolean {
  try {
    return (vscode.languages as { inlineCompletionsUnificationState?: unknown }).inlineCompletionsUnificationState !== undefined;
  } catch {
    return false;
  }
}

/** The item is an edit that may be anywhere in the document. VS Code shows it, goes to it and accepts it. */
export function anywhere(item: vscode.InlineCompletionItem): vscode.InlineCompletionItem {
  return Object.assign(item, { isInlineEdit: true });
}
