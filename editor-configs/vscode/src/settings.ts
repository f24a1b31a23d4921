/* The settings of this extension, and those passed on to the language server. */

import * as vscode from "vscode";
// Written by tools/settings.py from the server's own settings.
import engineNames from "./engine-settings.json";
import type { ServerSettings } from "./find-server";

const tabspec = (scope?: vscode.ConfigurationScope) => vscode.workspace.getConfiguration("tabspec", scope);

/** The settings with which the server is started. */
export function serverSettings(): ServerSettings {
  const settings = tabspec();
  return {
    command: settings.get<string[]>("server.command", []),
    python: settings.get("server.python", "").trim(),
    args: settings.get<string[]>("server.arguments", []),
  };
}

export const serverEnvironment = () => ({ ...tabspec().get<Record<string, string>>("server.environment", {}) });

/** Whether a change requires a restart of the server, which reads its models from the initialization options only. */
export const concernsStart = (event: vscode.ConfigurationChangeEvent) =>
  ["tabspec.server", "tabspec.model", "tabspec.editModel", "tabspec.editFormat"].some((section) =>
    event.affectsConfiguration(section),
  );

/**
 * The server's settings that have been set. For the others the server uses its own defaults, which may be those of another
 * version than this extension's.
 */
export function engineSettings(): Record<string, unknown> {
  const settings = tabspec();
  const set: Record<string, unknown> = { statusNotifications: statusBarWanted() };
  for (const name of engineNames) {
    const value = settings.get(name);
    if (value !== settings.inspect(name)?.defaultValue) set[name] = value;
  }
  return set;
}

/** Whether suggestions are wanted in this document. */
export function wanted(document: vscode.TextDocument): boolean {
  const settings = tabspec(document);
  return settings.get("enabled", true) && !settings.get<string[]>("disabledLanguages", []).includes(document.languageId);
}

/** How next edits are shown: `shown`; `hint`, until the user asks for them; or `off`. */
export type NextEditsMode = "shown" | "hint" | "off";

export const nextEditsMode = (document: vscode.TextDocument): NextEditsMode => tabspec(document).get("nextEdits", "shown");

/** Turns suggestions on or off: for the workspace if that setting is set there, otherwise for the user. */
export async function toggle(): Promise<boolean> {
  const settings = tabspec();
  const on = !settings.get("enabled", true);
  const inWorkspace = settings.inspect("enabled")?.workspaceValue !== undefined;
  await settings.update("enabled", on, inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global);
  return on;
}

export const statusBarWanted = () => tabspec().get("statusBar", true);
