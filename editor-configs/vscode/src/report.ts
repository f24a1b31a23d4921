/* The report, in a tab of the editor that follows what happens. */

import * as vscode from "vscode";
import { reportPage } from "./report-page";
import type { Server } from "./server";

let panel: vscode.WebviewPanel | undefined;

export async function showReport(server: Server): Promise<void> {
  if (panel) return panel.reveal();
  const opened = vscode.window.createWebviewPanel("tabspec.report", "tabspec: report", vscode.ViewColumn.Active, {});
  panel = opened;
  const listening = server.onDidChangeStatus((status) => (opened.webview.html = reportPage(status)));
  opened.onDidDispose(() => {
    panel = undefined;
    listening.dispose();
  });
  opened.webview.html = reportPage(await server.status());
}
