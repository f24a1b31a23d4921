/* The next edit on the screen: asked for, shown, jumped to, accepted, refused. */

import * as vscode from "vscode";
import type { Channel } from "../offers";
import { nextEditsMode, wanted } from "../settings";
import { Arrival } from "./arrival";
import { Asking, type Requests } from "./asking";
import { shownInline } from "./inline";
import { Keys } from "./keys";
import { anywhere, hasProposedApi } from "./native";
import { afterChange, type Offer } from "./offer";
import { direct, isRevealed, Screen } from "./looks/screen";
import { made, onLines, same, stays, type Chain, type Place, type Step } from "./step";
import { tabDoes, type Situation } from "./tab";
import { active, editorOf, hasModes, lineOf, opened, range, run } from "./workbench";

type Server = Channel & Requests & { readonly onDidChangePhase: vscode.Event<void> };

/** The keys of package.json, as the hint names them. */
const JUMP_KEY = "Alt+J";

const { Undo, Redo } = vscode.TextDocumentChangeReason;

export class NextEdits implements vscode.Disposable {
  private offer: Offer | undefined;
  /** The versions of documents for which the offered steps hold. */
  private versions = new Map<string, number>();
  /** Applied by the extension, and VS Code has not yet reported the change. */
  private applying: Offer | undefined;
  /** Where the last jump or accept has put the cursor, or is about to. */
  private readonly arrival = new Arrival();
  /** The user has refused: nothing is shown until something changes. */
  private refused = false;
  /** The document and its version for which VS Code has got a completion. */
  private completion: { document: vscode.TextDocument; version: number } | undefined;
  /** The next explicit request of VS Code for completions comes from the extension, and not from the user. */
  private triggered = false;
  /** The cursor, and the version from which on it has been there. A move in a later version is part of a change. */
  private seen: { document: vscode.TextDocument; version: number; place: Place } | undefined;
  private readonly asking: Asking;
  private readonly screen: Screen;
  private readonly keys = new Keys();
  private readonly native: boolean;
  private readonly subscriptions: vscode.Disposable;

  constructor(private readonly server: Server, extension: vscode.Extension<unknown>) {
    this.native = hasProposedApi(extension.packageJSON);
    this.asking = new Asking(server, (answer, document) => this.answered(answer, document));
    this.screen = new Screen(extension.extensionUri);
    this.subscriptions = vscode.Disposable.from(
      this.screen,
      vscode.workspace.onDidChangeTextDocument((event) => event.contentChanges.length && this.changed(event)),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => textEditor === active() && this.cursorMoved(textEditor)),
      vscode.window.onDidChangeTextEditorVisibleRanges(({ textEditor }) => textEditor === active() && this.scrolled(textEditor)),
      vscode.window.onDidChangeActiveTextEditor((editor) => this.switchedTo(editor)),
      vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration("tabspec") && this.begin()),
      server.onDidChangePhase(() => this.begin()),
    );
  }

  dispose(): void {
    this.asking.stop();
    this.subscriptions.dispose();
  }

  // --- what the user does with it -----------------------------------------------------------------------------------

  /** Tab, where its key binding lets it through. What was pressed may have arrived before the last move of the cursor. */
  tab(): Promise<void> {
    return this.keys.press(() => {
      const does = tabDoes(this.situation());
      return does === "jump" ? this.goThere() : does === "accept" ? this.make() : run("tab");
    });
  }

  /** Puts the cursor where the edit begins, and shows the edit. */
  jump(): Promise<void> {
    return this.keys.press(() => this.goThere());
  }

  /** Makes the edit, wherever the cursor is, and shows the next one. */
  accept(): Promise<void> {
    return this.keys.press(() => this.make());
  }

  private async goThere(): Promise<void> {
    if (!this.offer) return;
    this.offer = { ...this.offer, revealed: true };
    const [step] = this.offer.steps;
    this.arrival.goTo(step.jump);
    const editor = await editorOf(step, step.jump);
    this.arrival.stopped();
    if (!editor || this.offer?.steps[0] !== step) return;
    this.bring(editor, step.jump);
    this.server.notify("tabspec/didJump", { item: step });
    this.show();
  }

  /** One step of undo. */
  private async make(): Promise<void> {
    const { offer } = this;
    if (!offer) return;
    if (offer.how === "inline") return run("editor.action.inlineSuggest.commit");
    const [step] = offer.steps;
    const editor = await editorOf(step, step.jump);
    if (!editor || this.offer !== offer || !this.holds(offer)) return this.lost();
    this.applying = offer;
    this.arrival.goTo(step.cursor);
    this.asking.stop();
    const applied = editor.edit((edit) => edit.replace(range(step.range), step.text), { undoStopBefore: true, undoStopAfter: true });
    this.screen.showNext(editor, offer, "Tab"); // in the same frame as the edit: VS Code does what it is sent in order
    const done = await Promise.resolve(applied).catch(() => false); // it rejects if the editor was closed
    this.applying = undefined;
    this.arrival.stopped();
    if (!done) return this.lost(); // something was typed meanwhile
    this.bring(editor, step.cursor);
    this.reportAccepted(step);
    this.asking.now("moved");
  }

  /** The user does not want it: it goes, the rest of its chain with it, and nothing comes until something changes. */
  refuse(): void {
    if (!this.offer) return;
    this.server.execute("tabspec.rejected", this.offer.steps[0].command.arguments);
    this.refused = true;
    this.asking.stop();
    this.drop();
  }

  // --- VS Code's own inline completions -----------------------------------------------------------------------------

  /** What VS Code gets instead of the server's completions: the edit, or nothing beside one. Undefined: ask the server. */
  insteadOfCompletions(document: vscode.TextDocument, position: vscode.Position, explicit: boolean): vscode.InlineCompletionItem[] | undefined {
    const byUser = explicit && !this.triggered;
    if (explicit) this.triggered = false;
    const { offer } = this;
    if (byUser || !offer?.current || !this.holds(offer) || document !== active()?.document) return undefined;
    if (offer.how === "drawn") return [];
    const [step] = offer.steps;
    const item = new vscode.InlineCompletionItem(step.text, range(step.range));
    return shownInline(step, lineOf(document, position.line), position) ? [item] : this.native ? [anywhere(item)] : undefined;
  }

  /** VS Code has got completions: they are on the screen, and no edit is. */
  completed(document: vscode.TextDocument): void {
    if (document !== active()?.document) return; // the user has just gone to another one
    this.completion = { document, version: document.version };
    this.drop();
  }

  // --- what happens -------------------------------------------------------------------------------------------------

  private begin(): void {
    this.drop();
    this.completion = undefined;
    this.ask("moved");
  }

  private ask(cause: "changed" | "moved"): void {
    const document = active()?.document;
    if (document && wanted(document) && nextEditsMode(document) !== "off" && !this.refused) this.asking.soon(cause);
    else this.asking.stop();
  }

  private answered(answer: Chain | undefined, document: vscode.TextDocument): void {
    const completed = this.completion?.document === document && this.completion.version === document.version;
    const ghost = this.offer?.how === "inline";
    if (!answer || answer.version !== document.version || completed || this.refused) {
      if (ghost) void run("editor.action.inlineSuggest.hide");
      return this.drop();
    }
    const [first, ...rest] = answer.chain;
    this.versions = new Map([[document.uri.toString(), document.version]]);
    for (const { textDocument } of answer.chain) {
      const version = textDocument.version ?? opened(textDocument.uri)?.version;
      if (version !== undefined && !this.versions.has(textDocument.uri)) this.versions.set(textDocument.uri, version);
    }
    const before = this.offer;
    const still = before && same(before.steps[0], first);
    if (ghost && !still) void run("editor.action.inlineSuggest.hide");
    this.propose([first, ...rest], still ? before : undefined, before?.revealed && still);
    this.reportShown();
  }

  /** Put the first step on the screen; `before` is the offer whose first step is there already. */
  private propose(steps: Offer["steps"], before: Offer | undefined, revealed = false): void {
    const [step] = steps;
    const document = opened(step.textDocument.uri);
    if (!document) return this.drop();
    const replaced = range(step.range);
    const standing = { offset: document.offsetAt(replaced.start), old: document.getText(replaced) };
    const offer: Offer = { steps, standing, revealed, how: before?.how ?? this.how(step, document, revealed), current: true };
    if (!this.holds(offer)) return this.drop();
    this.offer = offer;
    this.show();
    if (offer.how === "inline" && !before) {
      this.triggered = true;
      void run("editor.action.inlineSuggest.trigger");
    }
  }

  private how(step: Step, document: vscode.TextDocument, revealed: boolean): Offer["how"] {
    const editor = active();
    if (editor?.document !== document || editor.selections.length > 1 || !editor.selection.isEmpty) return "drawn";
    if (nextEditsMode(document) === "hint" && !revealed) return "drawn";
    if (!vscode.workspace.getConfiguration("editor.inlineSuggest", document).get("enabled", true)) return "drawn";
    const cursor = editor.selection.active;
    return this.native || shownInline(step, lineOf(document, cursor.line), cursor) ? "inline" : "drawn";
  }

  private changed({ document, contentChanges, reason }: vscode.TextDocumentChangeEvent): void {
    const uri = document.uri.toString();
    const slice = (from: number, to: number) => document.getText(new vscode.Range(document.positionAt(from), document.positionAt(to)));
    const { offer, applying } = this;
    if (applying?.steps[0].textDocument.uri === uri) {
      this.applying = undefined;
      this.refused = false;
      if (made(applying.standing, applying.steps[0].text, contentChanges, slice)) return this.advance(applying, document);
      this.drop();
    } else if (offer?.steps[0].textDocument.uri === uri) {
      this.refused = false;
      const after = { slice, positionAt: (offset: number) => document.positionAt(offset), line: (line: number) => lineOf(document, line) };
      // after an undo the server knows which edits have become unwanted
      const becomes = reason === Undo || reason === Redo ? undefined : afterChange(offer, contentChanges, after);
      if (becomes === "made") {
        this.arrival.arrived(offer.steps[0].cursor);
        setTimeout(() => this.reportAccepted(offer.steps[0])); // after the language client has sent the change
        this.triggered = offer.how === "inline";
        this.advance(offer, document);
      } else if (becomes) {
        this.offer = becomes;
        this.versions = new Map([[uri, document.version]]);
        this.show();
        if (becomes.how === "inline") return; // VS Code narrows its ghost text
      } else this.drop();
    } else if (this.versions.has(uri)) this.drop();
    if (document !== active()?.document) return;
    if (this.seen?.document === document && stays(this.seen.place, contentChanges)) this.seen.version = document.version;
    this.refused = false;
    this.ask("changed");
  }

  /** The first step was made: the next one is there at once, while the server is asked what it would propose now. */
  private advance({ steps, revealed }: Offer, document: vscode.TextDocument): void {
    this.versions.set(document.uri.toString(), document.version);
    const [, next, ...rest] = steps;
    if (next) this.propose([next, ...rest], undefined, revealed);
    else this.drop();
  }

  /** The server has the change: the edit was accepted, and the next one is on the screen. */
  private reportAccepted({ command }: Step): void {
    this.server.execute(command.command, command.arguments);
    this.reportShown();
  }

  private reportShown(): void {
    if (this.offer) this.server.notify("textDocument/didShowInlineEdit", { item: this.offer.steps[0] });
  }

  private cursorMoved({ document, selection }: vscode.TextEditor): void {
    const place = selection.active;
    const { seen } = this;
    const typed = seen?.document === document && seen.version !== document.version;
    this.seen = { document, version: document.version, place };
    this.arrival.movedTo(place);
    if (!typed && !this.arrival.at) {
      this.completion = undefined; // VS Code hides its ghost text
      this.triggered = false;
      if (this.offer?.how === "inline" && !this.native) this.offer = { ...this.offer, how: "drawn" };
      if (!this.offer) this.ask("moved");
    }
    this.show();
  }

  private scrolled({ visibleRanges }: vscode.TextEditor): void {
    this.arrival.scrolledTo(visibleRanges);
    this.show();
  }

  private switchedTo(editor: vscode.TextEditor | undefined): void {
    // between two editors, none is active for a moment
    if (!editor || editor.document.uri.toString() === this.offer?.steps[0].textDocument.uri) return this.show();
    this.begin();
  }

  private lost(): void {
    this.applying = undefined;
    this.drop();
    this.ask("changed");
  }

  private drop(): void {
    this.offer = undefined;
    this.versions.clear();
    this.show();
  }

  // --- the screen ---------------------------------------------------------------------------------------------------

  /** Draws what is offered as it is now. VS Code does what it is sent in order: an edit on the screen has its keys. */
  private show(): void {
    const editor = active();
    const { offer } = this;
    const drawn = editor && offer?.how === "drawn";
    if (!drawn) this.screen.clear();
    this.keys.follow(offer !== undefined, tabDoes(this.situation()) !== "user");
    if (drawn) this.screen.show(editor, offer, this.key(), this.arrived(editor, offer));
  }

  /** Whether the cursor was brought to the first step. VS Code reports only later what it has scrolled to. */
  private arrived({ document }: vscode.TextEditor, { steps: [step] }: Offer): boolean {
    const place = this.arrival.at;
    return place !== undefined && onLines(step, place) && document.uri.toString() === step.textDocument.uri;
  }

  /** The key that goes to the edit. */
  private key(): string {
    return hasModes() || tabDoes(this.situation()) === "user" ? JUMP_KEY : "Tab";
  }

  private situation(): Situation {
    const editor = active();
    const nothing = { shown: "nothing", selecting: false, inIndentation: false, broughtHere: false, atEdit: false } as const;
    if (!editor || !this.offer) return nothing;
    const { document, selections, selection } = editor;
    const { line, character } = selection.active;
    const [step] = this.offer.steps;
    return {
      shown: this.offer.how === "inline" ? "inline" : isRevealed(editor, this.offer.revealed) ? "edit" : "hint",
      selecting: selections.length > 1 || !selection.isEmpty,
      inIndentation: lineOf(document, line).slice(0, character).trim() === "",
      broughtHere: this.arrival.at !== undefined,
      atEdit: this.arrived(editor, this.offer) || (direct(editor, step, selection.active) === "here" && onLines(step, selection.active)),
    };
  }

  private bring(editor: vscode.TextEditor, { line, character }: Place): void {
    const place = new vscode.Position(line, character);
    this.arrival.arrived(place);
    editor.selection = new vscode.Selection(place, place);
    editor.revealRange(editor.selection, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  }

  /** Whether the first step is for its document as it is. */
  private holds({ steps: [{ textDocument, range }] }: Offer): boolean {
    const document = opened(textDocument.uri);
    return document !== undefined && document.version === this.versions.get(textDocument.uri) && range.end.line < document.lineCount;
  }
}
