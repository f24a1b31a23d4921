/* The commands. */

import * as vscode from "vscode";
import type { Counters } from "./middleware";
import type { Offers } from "./offers";
import { showReport } from "./report";
import type { Server } from "./server";
import { toggle } from "./settings";

export function registerCommands(
  server: Server,
  offers: Offers,
  counters: Counters,
  log: vscode.LogOutputChannel,
): vscode.Disposable[] {
  const commands: Record<string, () => unknown> = {
    acceptWord: () => acceptNext("Word", offers, counters),
    acceptLine: () => acceptNext("Line", offers, counters),
    dismiss: () => dismiss(offers),
    toggle: switchOnOrOff,
    restart: () => server.restart(),
    openReport: () => showReport(server),
    showLog: () => log.show(),
    menu,
  };
  return Object.entries(commands).map(([name, command]) => vscode.commands.registerCommand(`tabspec.${name}`, command));
}

/** VS Code's own command, and what it leaves out: it tells nobody, and asks for nothing after the last part. */
async function acceptNext(part: "Word" | "Line", offers: Offers, counters: Counters): Promise<void> {
  const acceptedBefore = counters.accepted;
  await run(`editor.action.inlineSuggest.acceptNext${part}`);
  if (counters.accepted === acceptedBefore) {
    const editor = vscode.window.activeTextEditor;
    if (editor) offers.partlyAccepted(editor);
    return;
  }
  counters.followUp = true;
  try {
    await run("editor.action.inlineSuggest.trigger");
  } finally {
    counters.followUp = false;
  }
}

async function dismiss(offers: Offers): Promise<void> {
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
