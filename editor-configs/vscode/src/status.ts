/* The server's own account of itself (`tabspec/status`), and what the status bar says of it. Pure. */

import type { Phase } from "./server";

export interface Status {
  version: string;
  policy: string;
  model: { name: string; state: "none" | "loading" | "ready" | "unusable"; detail: string; percent: number | null };
  requests: number;
  /** How requests were answered; `none`: without a suggestion. */
  sources: Record<"exact" | "type_through" | "speculated" | "joined" | "model" | "none", number>;
  shown: number;
  accepted: number;
  rejected: number;
  /** Of the requests answered with a suggestion, those that did not wait for the model. */
  hit_rate: number;
  /** Accepts followed by a request at the resulting cursor; those answered with a suggestion and no wait; those without one. */
  tabs: number;
  instant_tabs: number;
  silent_tabs: number;
  instant_tab_rate: number;
  tokens: Record<"prefill" | "prefill_reused" | "decoded" | "decoded_speculative" | "decoded_unused", number>;
  cache: { entries: number; bytes: number; evictions: number };
  recording: string | null;
}

export interface Shown {
  text: string;
  tooltip: string;
  warning: boolean;
}

/** `on`: whether suggestions are wanted in the document that is open. */
export function shown(phase: Phase, on: boolean, status: Status | undefined): Shown {
  if (phase === "missing") return say("$(warning) tabspec", "No language server was found. Click for the menu with the log and the settings.", true);
  if (phase === "stopped") return say("$(warning) tabspec", "The language server is not running. Click for the menu, which can restart it.", true);
  if (phase === "starting") return say("$(loading~spin) tabspec", "The language server is starting.");
  if (!on) return say("$(circle-slash) tabspec", "Suggestions are off here (tabspec.enabled, tabspec.disabledLanguages). Click for the menu.");
  if (!status) return say("$(zap) tabspec", "No suggestions yet.");
  const { model } = status;
  if (model.state === "unusable") return say("$(warning) tabspec", `The model cannot be used. ${model.detail}`, true);
  if (model.state === "loading") {
    const percent = model.percent === null ? "" : ` ${Math.round(model.percent)} %`;
    return say(`$(loading~spin) tabspec: model${percent}`, `The model is loading. ${model.detail}`);
  }
  if (!suggested(status)) return say("$(zap) tabspec", `No suggestions yet. Model: ${model.detail || model.name}`);
  const { shown, accepted, rejected, tabs, instant_tabs, silent_tabs } = status;
  return say(
    `$(zap) tabspec ${percent(status.hit_rate)}`,
    `${percent(status.hit_rate)} of the suggestions were there without waiting for the model; ` +
      `${instant_tabs} of ${tabs} after Tab, where ${silent_tabs} had nothing to suggest. ${shown} shown, ${accepted} accepted, ${rejected} rejected.`,
  );
}

/** Requests answered with a suggestion. */
export const suggested = ({ requests, sources }: Status) => requests - sources.none;

/** A fraction as text. */
export const percent = (rate: number) => `${Math.round(100 * rate)} %`;

const say = (text: string, tooltip: string, warning = false): Shown => ({ text, tooltip, warning });
