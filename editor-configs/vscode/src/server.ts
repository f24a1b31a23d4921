/* The language server's life: found, started, restarted, stopped. One at a time. */

import * as os from "node:os";
import * as vscode from "vscode";
import { LanguageClient, RevealOutputChannelOn, State, type Middleware } from "vscode-languageclient/node";
import { findServer, thisMachine } from "./find-server";
import { pythonEnvironment } from "./python-environment";
import { engineSettings, serverEnvironment, serverSettings } from "./settings";
import type { Status } from "./status";

export type Phase = "starting" | "running" | "stopped" | "missing";

// A server that died three times within three minutes will die again (the rule is vscode-languageclient's).
const RESTARTS = 3;
const DOCUMENTS = [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" }];

export class Server {
  private client: LanguageClient | undefined;
  private now: Phase = "stopped";
  /** Starts and stops run one after the other. */
  private queue = Promise.resolve();
  private readonly phaseChanged = new vscode.EventEmitter<void>();
  private readonly statusChanged = new vscode.EventEmitter<Status>();

  readonly onDidChangePhase = this.phaseChanged.event;
  /** Fires with the server's status (`tabspec/statusChanged`). */
  readonly onDidChangeStatus = this.statusChanged.event;

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly middleware: (server: Server) => Middleware,
  ) {}

  get phase(): Phase {
    return this.now;
  }

  restart(): Promise<void> {
    return this.next(async () => {
      await this.stopClient();
      await this.startClient();
    });
  }

  stop(): Promise<void> {
    return this.next(() => this.stopClient());
  }

  /** The server's status; undefined if none runs. */
  async status(): Promise<Status | undefined> {
    return this.client?.isRunning() ? this.client.sendRequest<Status>("tabspec/status", {}) : undefined;
  }

  /** The server's answer; undefined if none runs. Rejects with the server's error. */
  async request<T>(method: string, params: object, token: vscode.CancellationToken): Promise<T | undefined> {
    return this.client?.isRunning() ? this.client.sendRequest<T>(method, params, token) : undefined;
  }

  notify(method: string, params: object): void {
    if (this.client?.isRunning()) void this.client.sendNotification(method, params);
  }

  execute(command: string, args: unknown[]): void {
    if (this.client?.isRunning()) void this.client.sendRequest("workspace/executeCommand", { command, arguments: args });
  }

  private async startClient(): Promise<void> {
    this.enter("starting");
    const env = pythonEnvironment(process.env, serverEnvironment());
    const found = await findServer(serverSettings(), await pythonOfTheWorkspace(), thisMachine(env));
    if ("tried" in found) {
      this.log.error(`no language server found; tried: ${found.tried.join(", ")}`);
      this.enter("missing");
      void this.sayMissing(found.tried);
      return;
    }
    const { command, args, because } = found;
    this.log.info(`starting ${[command, ...args].join(" ")}: ${because}`);
    // By default the workspace's folder: a relative path in the settings would name a program of an untrusted workspace.
    const cwd = vscode.workspace.isTrusted ? undefined : os.homedir();
    const client = new LanguageClient("tabspec", "tabspec", { command, args, options: { env, cwd } }, {
      documentSelector: DOCUMENTS,
      outputChannel: this.log,
      traceOutputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      connectionOptions: { maxRestartCount: RESTARTS },
      initializationOptions: engineSettings,
      initializationFailedHandler: () => false, // `start` rejects, and `sayFailed` has the button
      middleware: this.middleware(this),
    });
    const phases = { [State.Running]: "running", [State.Starting]: "starting" } as Record<State, Phase | undefined>;
    client.onDidChangeState(({ newState }) => client === this.client && this.enter(phases[newState] ?? "stopped"));
    client.onNotification("tabspec/statusChanged", (status: Status) => this.statusChanged.fire(status));
    this.client = client;
    await client.start().catch((error) => {
      this.log.error(String(error));
      this.enter("stopped");
      void this.sayFailed(command);
    });
  }

  private async stopClient(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (!client) return;
    await client.dispose().catch((error) => this.log.warn(String(error)));
    this.enter("stopped");
  }

  private next(work: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(work).catch((error) => this.log.error(String(error)));
    return this.queue;
  }

  private enter(phase: Phase): void {
    this.now = phase;
    void vscode.commands.executeCommand("setContext", "tabspec.running", phase === "running");
    this.phaseChanged.fire();
  }

  private async sayMissing(tried: string[]): Promise<void> {
    const chosen = await vscode.window.showErrorMessage(
      `tabspec: no language server found (tried ${tried.join(", ")}). Install tabspec ("pip install ." in its ` +
        "repository), or say which Python has it in the setting tabspec.server.python.",
      "Open Settings", "Try Again", "Show Log",
    );
    await this.chosen(chosen);
  }

  private async sayFailed(command: string): Promise<void> {
    await this.chosen(
      await vscode.window.showErrorMessage(`tabspec: the language server did not start (${command}).`, "Show Log", "Open Settings"),
    );
  }

  private async chosen(button: "Open Settings" | "Try Again" | "Show Log" | undefined): Promise<void> {
    if (button === "Open Settings") await vscode.commands.executeCommand("workbench.action.openSettings", "tabspec.server");
    if (button === "Try Again") await this.restart();
    if (button === "Show Log") this.log.show();
  }
}

/** The interpreter chosen in the Python extension, if that is installed and the workspace is trusted: the interpreter may be in the workspace. */
async function pythonOfTheWorkspace(): Promise<string | undefined> {
  if (!vscode.workspace.isTrusted) return undefined;
  const python = vscode.extensions.getExtension("ms-python.python");
  if (!python) return undefined;
  const api = await python.activate();
  return api?.environments?.getActiveEnvironmentPath?.()?.path;
}
