"use strict";
const vscode = require("vscode");

const item = vscode.window.createStatusBarItem("mode");

/** The status bar has the mode once VS Code knows it. */
const enter = async (active, mode) => {
  await vscode.commands.executeCommand("setContext", "vim.active", active);
  await vscode.commands.executeCommand("setContext", "vim.mode", mode);
  item.text = `vim ${mode}`;
  item.show();
};

exports.activate = () => {
  vscode.commands.registerCommand("vimLike.normal", () => enter(true, "Normal"));
  vscode.commands.registerCommand("vimLike.insert", () => enter(true, "Insert"));
  vscode.commands.registerCommand("vimLike.off", () => enter(false, "off"));
  vscode.commands.registerCommand("vimLike.down", () => vscode.commands.executeCommand("cursorDown"));
};
