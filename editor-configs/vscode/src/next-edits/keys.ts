/* The keys: which of them are the extension's, and their order. */

import * as vscode from "vscode";

export class Keys {
  private readonly set = new Map<string, boolean>();
  private pressed = Promise.resolve();

  /**
   * For the key bindings in package.json. `offered`: an edit, or a hint of it, is there. `tab`: and Tab jumps to it or
   * accepts it.
   */
  follow(offered: boolean, tab: boolean): void {
    this.put("tabspec.nextEditOffered", offered);
    this.put("tabspec.nextEditTab", tab);
  }

  /** One key after the other: the second Tab finds what the first has left. */
  press(key: () => Thenable<void>): Promise<void> {
    const done = this.pressed.then(key);
    this.pressed = done.catch(() => undefined);
    return done;
  }

  private put(key: string, value: boolean): void {
    if (this.set.get(key) === value) return;
    this.set.set(key, value);
    void vscode.commands.executeCommand("setContext", key, value);
  }
}
