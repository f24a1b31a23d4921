/* What was offered last, and what became of it.
 *
 * VS Code reports only full accepts to a provider (it runs the item's command). The events for shown, partly accepted and
 * rejected suggestions are a proposed API, which extensions from the marketplace may not use. So this file reports them: a
 * response that arrives before the document changes counts as shown, this extension's commands report partial accepts, and
 * Escape reports a rejection. The messages are those of Copilot's language server.
 */

import * as vscode from "vscode";

/** Sends messages to the server. */
export interface Channel {
  notify(method: string, params: object): void;
  execute(command: string, args: unknown[]): void;
}

/** A suggestion as the server made it. */
interface Offer {
  text: string;
  range: vscode.Range;
  command: vscode.Command | undefined;
}

/**
 * The command that VS Code runs when a suggestion is accepted. VS Code would wait for 50 ms before it requests the next
 * suggestion (1.139: the minimum and maximum of its debounce), and send no request after the last word or line. Its own
 * command, which runs during the accept, makes it send the request immediately. That works only for a command without
 * arguments: others are run by the extension's process, after the wait has begun. So what was accepted is determined from
 * the next request.
 */
export const ASK_AT_ONCE: vscode.Command = { title: "Ask for the next suggestion", command: "editor.action.inlineSuggest.trigger" };

export class Offers {
  private last: { document: vscode.TextDocument; offers: Offer[] } | undefined;

  constructor(private readonly server: Channel) {}

  /** The server has responded with `items`, and VS Code still waits for them. */
  offered(document: vscode.TextDocument, items: vscode.InlineCompletionItem[]): void {
    const offers: Offer[] = [];
    for (const item of items) {
      if (!item.range) continue;
      const text = typeof item.insertText === "string" ? item.insertText : item.insertText.value;
      offers.push({ text, range: item.range, command: item.command });
      item.command = ASK_AT_ONCE;
    }
    this.last = { document, offers };
    if (offers.length) this.server.notify("textDocument/didShowCompletion", { item: protocolItem(offers[0]) });
  }

  /** A command made VS Code request suggestions: returns whether it was `ASK_AT_ONCE`. If so, reports the accept. */
  accepted(document: vscode.TextDocument, position: vscode.Position): boolean {
    const offer = this.begunBefore(document, position).find(({ text, range }) => taken(document, range, position) === text);
    if (!offer) return false;
    this.last = undefined;
    this.server.execute("tabspec.accepted", offer.command?.arguments ?? []);
    return true;
  }

  /** A part of the suggestion may have been inserted, with the cursor after it. */
  partlyAccepted({ document, selection }: vscode.TextEditor): void {
    const [offer] = this.begunBefore(document, selection.active);
    if (!offer) return;
    const acceptedLength = taken(document, offer.range, selection.active).length;
    if (acceptedLength === offer.text.length) return; // that is an accept
    this.server.notify("textDocument/didPartiallyAcceptCompletion", { item: protocolItem(offer), acceptedLength });
  }

  /** The user rejects what is shown: all alternatives, if there are several. */
  rejected({ document, selection }: vscode.TextEditor): void {
    for (const { command } of this.begunBefore(document, selection.active)) {
      this.server.execute("tabspec.rejected", command?.arguments ?? []);
    }
    this.last = undefined;
  }

  /** The last offers that begin with the text before the cursor. Others cannot be on the screen. */
  private begunBefore(document: vscode.TextDocument, cursor: vscode.Position): Offer[] {
    if (this.last?.document !== document) return [];
    return this.last.offers.filter(
      ({ text, range }) => !range.start.isAfter(cursor) && text.startsWith(taken(document, range, cursor)),
    );
  }
}

/** The document's text from the start of a suggestion to the cursor. (The server uses the document's line ends.) */
const taken = (document: vscode.TextDocument, range: vscode.Range, cursor: vscode.Position) =>
  document.getText(range.with({ end: cursor }));

/** The item as in the protocol. The server recognizes it by its command. */
function protocolItem({ text, range, command }: Offer): object {
  const at = ({ line, character }: vscode.Position) => ({ line, character });
  return { insertText: text, range: { start: at(range.start), end: at(range.end) }, command };
}
