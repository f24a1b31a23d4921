/* Where the language server is: what the settings say, else what is on this machine. */

import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";

/** A program and its arguments, and why it was chosen. */
export interface Program {
  command: string;
  args: string[];
  because: string;
}

/** `tabspec.server.*` */
export interface ServerSettings {
  command: string[];
  python: string;
  args: string[];
}

/** What is read from the machine. */
export interface Machine {
  onPath(name: string): Promise<string | undefined>;
  hasTabspec(python: string): Promise<boolean>;
}

const NAME = "tabspec-lsp";
const PYTHONS = process.platform === "win32" ? ["python", "py"] : ["python3", "python"];
// Starting Python and importing an empty package takes some 50 ms; a machine that needs ten seconds is out of memory.
const PROBE_MS = 10_000;

/**
 * The server to start, or what was tried without success. A configured program is not checked: if it does not start, its
 * own message is more helpful. `interpreter` is that of the Python extension, if it has one. It is not used in an untrusted
 * workspace, because it may be in the workspace.
 */
export async function findServer(
  settings: ServerSettings,
  interpreter: string | undefined,
  machine: Machine,
): Promise<Program | { tried: string[] }> {
  const [command, ...args] = settings.command;
  if (command) return { command, args, because: "the setting tabspec.server.command" };
  if (settings.python) return byPython(settings.python, settings.args, "the setting tabspec.server.python");
  const found = await machine.onPath(NAME);
  if (found) return { command: found, args: ["--stdio", ...settings.args], because: "it is on PATH" };
  const pythons = await Promise.all(PYTHONS.map((name) => machine.onPath(name)));
  for (const python of [interpreter, ...pythons]) {
    if (python && (await machine.hasTabspec(python))) return byPython(python, settings.args, "tabspec is installed in it");
  }
  return { tried: [`${NAME} on PATH`, ...(interpreter ? [interpreter] : []), ...PYTHONS] };
}

function byPython(python: string, args: string[], because: string): Program {
  // -P: without it, Python would import from the working directory first
  return { command: python, args: ["-P", "-m", "tabspec_lsp.main", "--stdio", ...args], because };
}

/** This machine with the server's environment. Relative folders on PATH are ignored, because they would be folders of the
 * open workspace. */
export function thisMachine(env: NodeJS.ProcessEnv): Machine {
  return {
    async onPath(name) {
      const suffixes = process.platform === "win32" ? [".exe", ".cmd"] : [""];
      for (const folder of (env.PATH ?? env.Path ?? "").split(path.delimiter).filter(path.isAbsolute)) {
        for (const suffix of suffixes) {
          const file = path.join(folder, name + suffix);
          if (await fs.access(file, fs.constants.X_OK).then(() => true, () => false)) return file;
        }
      }
      return undefined;
    },
    hasTabspec(python) {
      return new Promise((resolve) => {
        const options = { env, cwd: os.homedir(), timeout: PROBE_MS };
        execFile(python, ["-P", "-c", "import tabspec_lsp"], options, (error) => resolve(!error));
      });
    },
  };
}
