/* What was offered last, and what became of it.
 *
 * VS Code tells a provider about full accepts only (it runs the item's command). The events for shown, partly accepted
 * and rejected suggestions are a proposed API, which an extension from the marketplace may not use. So they are told
 * here: an answer that came in time for the document it was asked for counts as shown, the commands of this extension
 * report partial accepts, and Escape reports a rejection. The messages are those of Copilot's language server.
 */

import * as vscode from "vscode";

/** The way to the server. */
export interface Channel {
  notify(method: string, params: object): void;
  execute(command: string, args: unknown[]): void;
}

export class Offers {
  private last: { document: vscode.TextDocument; items: vscode.InlineCompletionItem[] } | undefined;

  constructor(private readonly server: Channel) {}

  /** The server answered with `items`, and VS Code still wants them. */
  offered(document: vscode.TextDocument, items: vscode.InlineCompletionItem[]): void {
    this.last = { document, items };
    if (items.length) this.server.notify("textDocument/didShowCompletion", { item: protocolItem(items[0]) });
  }

  /** A part of the suggestion was inserted, and the cursor is behind it. */
  partlyAccepted(editor: vscode.TextEditor): void {
    const item = this.visible(editor)[0];
    if (!item?.range) return;
    const acceptedLength = editor.document.getText(item.range.with({ end: editor.selection.active })).length;
    this.server.notify("textDocument/didPartiallyAcceptCompletion", { item: protocolItem(item), acceptedLength });
  }

  /** The user does not want what is shown. Where there were alternatives, all of them are meant. */
  rejected(editor: vscode.TextEditor): void {
    for (const item of this.visible(editor)) this.server.execute("tabspec.rejected", item.command?.arguments ?? []);
    this.last = undefined;
  }

  /** The items offered last that can be on the screen: they begin with what stands before the cursor. */
  private visible({ document, selection }: vscode.TextEditor): vscode.InlineCompletionItem[] {
    if (this.last?.document !== document) return [];
    return this.last.items.filter(({ range, insertText }) => {
      if (!range || range.start.isAfter(selection.active)) return false;
      return textOf(insertText).startsWith(document.getText(range.with({ end: selection.active })));
    });
  }
}

const textOf = (text: string | vscode.SnippetString) => (typeof text === "string" ? text : text.value);

/** The item as the server sent it, which knows it again by its command. */
function protocolItem({ insertText, range, command }: vscode.InlineCompletionItem): object {
  const at = ({ line, character }: vscode.Position) => ({ line, character });
  return {
    insertText: textOf(insertText),
    ...(range && { range: { start: at(range.start), end: at(range.end) } }),
    ...(command && { command: { title: command.title, command: command.command, arguments: command.arguments } }),
  };
}
