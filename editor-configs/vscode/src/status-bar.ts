/* The item in the status bar. */

import * as vscode from "vscode";
import type { Server } from "./server";
import { statusBarWanted, wanted } from "./settings";
import { shown, type Status } from "./status";

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("status", vscode.StatusBarAlignment.Right, 100);
  private readonly parts: vscode.Disposable;
  private status: Status | undefined;

  constructor(private readonly server: Server) {
    this.item.name = "tabspec";
    this.item.command = "tabspec.menu";
    this.parts = vscode.Disposable.from(
      this.item,
      server.onDidChangeStatus((status) => this.show(status)),
      // another process counts from zero
      server.onDidChangePhase(() => this.show(server.phase === "running" ? this.status : undefined)),
      vscode.window.onDidChangeActiveTextEditor(() => this.show(this.status)),
      vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration("tabspec") && this.show(this.status)),
    );
    this.show(undefined);
  }

  private show(status: Status | undefined): void {
    this.status = status;
    if (!statusBarWanted()) return this.item.hide();
    const document = vscode.window.activeTextEditor?.document;
    const { text, tooltip, warning } = shown(this.server.phase, !document || wanted(document), status);
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.backgroundColor = warning ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    this.item.show();
  }

  dispose(): void {
    this.parts.dispose();
  }
}
