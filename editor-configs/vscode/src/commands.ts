/* The commands. */

import * as vscode from "vscode";
import type { NextEdits } from "./next-edits/next-edits";
import type { Offers } from "./offers";
import { showReport } from "./report";
import type { Server } from "./server";
import { toggle } from "./settings";

export function registerCommands(
  server: Server,
  offers: Offers,
  nextEdits: NextEdits,
  log: vscode.LogOutputChannel,
): vscode.Disposable[] {
  const commands: Record<string, () => unknown> = {
    acceptWord: () => acceptNext("Word", offers),
    acceptLine: () => acceptNext("Line", offers),
    dismiss: () => dismiss(offers, nextEdits),
    nextEditTab: () => nextEdits.tab(),
    jumpToNextEdit: () => nextEdits.jump(),
    acceptNextEdit: () => nextEdits.accept(),
    dismissNextEdit: () => nextEdits.refuse(),
    toggle: switchOnOrOff,
    restart: () => server.restart(),
    openReport: () => showReport(server),
    showLog: () => log.show(),
    menu,
  };
  return Object.entries(commands).map(([name, command]) => vscode.commands.registerCommand(`tabspec.${name}`, command));
}

/** VS Code's own command, which does not notify the extension. */
async function acceptNext(part: "Word" | "Line", offers: Offers): Promise<void> {
  await run(`editor.action.inlineSuggest.acceptNext${part}`);
  const editor = vscode.window.activeTextEditor;
  if (editor) offers.partlyAccepted(editor);
}

async function dismiss(offers: Offers, nextEdits: NextEdits): Promise<void> {
  nextEdits.refuse(); // one that is shown as ghost text
  const editor = vscode.window.activeTextEditor;
  if (editor) offers.rejected(editor);
  await run("editor.action.inlineSuggest.hide");
}

async function switchOnOrOff(): Promise<void> {
  const on = await toggle();
  if (!on) await run("editor.action.inlineSuggest.hide");
}

async function menu(): Promise<void> {
  const chosen = await vscode.window.showQuickPick(
    [
      { label: "$(graph) Open report", command: "tabspec.openReport" },
      { label: "$(circle-slash) Turn suggestions on or off", command: "tabspec.toggle" },
      { label: "$(debug-restart) Restart the language server", command: "tabspec.restart" },
      { label: "$(output) Show log", command: "tabspec.showLog" },
      { label: "$(gear) Settings", command: "workbench.action.openSettings", argument: "@ext:tabspec.tabspec" },
    ],
    { title: "tabspec" },
  );
  if (chosen) await run(chosen.command, chosen.argument);
}

const run = (command: string, ...args: unknown[]) => vscode.commands.executeCommand(command, ...args);
