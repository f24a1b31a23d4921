/* What the status bar says. Pure: from the server's own account (`tabspec/status`) to words. */

import type { Phase } from "./server";

export type Status = any;

export interface Shown {
  text: string;
  tooltip: string;
  warning: boolean;
}

/** `on`: whether suggestions are wanted in the document that is open. */
export function shown(phase: Phase, on: boolean, status: Status | undefined): Shown {
  if (phase === "missing") return say("$(warning) tabspec", "No language server found. Click for the log and the settings.", true);
  if (phase === "stopped") return say("$(warning) tabspec", "The language server is not running. Click to restart it.", true);
  if (phase === "starting") return say("$(loading~spin) tabspec", "The language server is starting.");
  if (!on) return say("$(circle-slash) tabspec", "Suggestions are off here. Click to turn them on.");
  return say(`$(zap) tabspec ${percent(status?.hit_rate)}`, JSON.stringify(status));
}

const say = (text: string, tooltip: string, warning = false): Shown => ({ text, tooltip, warning });

const percent = (rate: number | undefined) => (rate === undefined ? "–" : `${Math.round(100 * rate)} %`);
