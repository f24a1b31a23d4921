/* What was offered last, and what became of it.
 *
 * VS Code tells a provider nothing but full accepts (it runs the item's command). The events for shown, partly accepted
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

/** A suggestion as the server made it. */
interface Offer {
  text: string;
  range: vscode.Range;
  command: vscode.Command | undefined;
}

/**
 * What VS Code runs when a suggestion was accepted. It would wait for 50 ms before it asks for the next one (1.139: its
 * debounce of inline completions, least and most), and not ask at all after the last word or line. Asked by its own
 * command, in the midst of accepting, it asks at once. That works only for a command without arguments: others take the
 * way through the extension's process, and then the wait has begun. So it is read off the next request what was accepted.
 */
export const ASK_AT_ONCE: vscode.Command = { title: "Ask for the next suggestion", command: "editor.action.inlineSuggest.trigger" };

export class Offers {
  private last: { document: vscode.TextDocument; offers: Offer[] } | undefined;

  constructor(private readonly server: Channel) {}

  /** The server answered with `items`, and VS Code still wants them. */
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

  /** VS Code was asked for suggestions by a command: whether that was `ASK_AT_ONCE`. Then tells the server of the accept. */
  accepted(document: vscode.TextDocument, position: vscode.Position): boolean {
    const offer = this.begunBefore(document, position).find(({ text, range }) => taken(document, range, position) === text);
    if (!offer) return false;
    this.last = undefined;
    this.server.execute("tabspec.accepted", offer.command?.arguments ?? []);
    return true;
  }

  /** A part of the suggestion may have been inserted, with the cursor behind it. */
  partlyAccepted({ document, selection }: vscode.TextEditor): void {
    const [offer] = this.begunBefore(document, selection.active);
    if (!offer) return;
    const acceptedLength = taken(document, offer.range, selection.active).length;
    if (acceptedLength === offer.text.length) return; // that is an accept
    this.server.notify("textDocument/didPartiallyAcceptCompletion", { item: protocolItem(offer), acceptedLength });
  }

  /** The user does not want what is shown. Where there were alternatives, all of them are meant. */
  rejected({ document, selection }: vscode.TextEditor): void {
    for (const { command } of this.begunBefore(document, selection.active)) {
      this.server.execute("tabspec.rejected", command?.arguments ?? []);
    }
    this.last = undefined;
  }

  /** The last offers, as far as they begin with what stands before the cursor: others cannot be on the screen. */
  private begunBefore(document: vscode.TextDocument, cursor: vscode.Position): Offer[] {
    if (this.last?.document !== document) return [];
    return this.last.offers.filter(
      ({ text, range }) => !range.start.isAfter(cursor) && text.startsWith(taken(document, range, cursor)),
    );
  }
}

/** What stands in the document from where a suggestion begins to the cursor. (The server uses the document's line ends.) */
const taken = (document: vscode.TextDocument, range: vscode.Range, cursor: vscode.Position) =>
  document.getText(range.with({ end: cursor }));

/** As the protocol has it. The server knows it again by its command. */
function protocolItem({ text, range, command }: Offer): object {
  const at = ({ line, character }: vscode.Position) => ({ line, character });
  return { insertText: text, range: { start: at(range.start), end: at(range.end) }, command };
}
