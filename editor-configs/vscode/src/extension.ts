/* The extension: a language server, what is told to it, and what is shown of it. */

import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { CursorRest } from "./cursor-rest";
import { middleware } from "./middleware";
import { NextEdits } from "./next-edits/next-edits";
import { Offers } from "./offers";
import { Server } from "./server";
import { concernsStart } from "./settings";
import { StatusBar } from "./status-bar";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("tabspec", { log: true });
  const running = new Server(log, () => middleware(offers, nextEdits));
  const offers = new Offers(running);
  const nextEdits = new NextEdits(running, context.extension);
  server = running;
  context.subscriptions.push(
    log,
    new StatusBar(running),
    new CursorRest(running),
    nextEdits,
    ...registerCommands(running, offers, nextEdits, log),
    vscode.workspace.onDidChangeConfiguration((event) => concernsStart(event) && void running.restart()),
    // the Python extension's interpreter is used from now on
    vscode.workspace.onDidGrantWorkspaceTrust(() => running.phase === "missing" && void running.restart()),
  );
  void running.restart();
}

export const deactivate = () => server?.stop();
