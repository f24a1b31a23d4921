/* VS Code's own way to show edits anywhere. It belongs to the proposed API `inlineCompletionsAdditions`, which is there only
 * in a package that declares it (dist/tabspec-proposed.vsix), and where the user has switched it on
 * (`code --enable-proposed-api tabspec.tabspec`).
 */

import * as vscode from "vscode";

/**
 * Whether the package declares the API, and it is there. VS Code throws at members of proposals that are not switched on, and
 * versions without the proposal have none. (code-server has all of them on, also where they are not declared.)
 */
export function hasProposedApi(manifest: { enabledApiProposals?: string[] }): boolean {
  if (!manifest.enabledApiProposals?.includes("inlineCompletionsAdditions")) return false;
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
