/* What of VS Code's workbench next edits need. */

import * as vscode from "vscode";
import type { Place, Span, Step } from "./step";

export const active = () => vscode.window.activeTextEditor;

export const opened = (uri: string) => vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri);

export const range = ({ start, end }: Span) => new vscode.Range(start.line, start.character, end.line, end.character);

/** A line's text; "" beyond the document's end, where a cursor stands for a moment after lines were deleted. */
export const lineOf = (document: vscode.TextDocument, line: number) => (line < document.lineCount ? document.lineAt(line).text : "");

/** Whether one of these extensions is there. Tab is theirs outside of insert mode, and they tell no extension the mode. */
export const hasModes = () => ["vscodevim.vim", "asvetliakov.vscode-neovim"].some((id) => vscode.extensions.getExtension(id)?.isActive);

export const run = (command: string) => vscode.commands.executeCommand<void>(command);

/** The editor of the step's document, brought to the front with the cursor at `place` if it is not there. */
export async function editorOf({ textDocument }: Step, place: Place): Promise<vscode.TextEditor | undefined> {
  const editor = active();
  if (editor?.document.uri.toString() === textDocument.uri) return editor;
  const document = opened(textDocument.uri);
  return document && vscode.window.showTextDocument(document, { selection: range({ start: place, end: place }) });
}
