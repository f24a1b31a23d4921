/* Which keys are the extension's: context keys that the key bindings in package.json ask for. */

import * as vscode from "vscode";

export class Keys {
  private readonly set = new Map<string, boolean>();

  /** `offered`: an edit, or a hint of it, is there. `tab`: and Tab jumps to it or accepts it. */
  follow(offered: boolean, tab: boolean): void {
    this.put("tabspec.nextEditOffered", offered);
    this.put("tabspec.nextEditTab", tab);
  }

  private put(key: string, value: boolean): void {
    if (this.set.get(key) === value) return;
    this.set.set(key, value);
    void vscode.commands.executeCommand("setContext", key, value);
  }
}
