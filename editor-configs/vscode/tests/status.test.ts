import assert from "node:assert/strict";
import { test } from "node:test";
import { reportPage } from "../src/report-page";
import { shown, type Status } from "../src/status";

const READY: Status = {
  version: "0.1.0",
  policy: "adaptive",
  model: { name: "m", state: "ready", detail: "a model", percent: null },
  requests: 5,
  sources: { exact: 0, type_through: 1, speculated: 2, joined: 0, model: 1, none: 1 },
  shown: 4,
  accepted: 2,
  rejected: 1,
  hit_rate: 0.745,
  tabs: 2,
  instant_tabs: 2,
  silent_tabs: 0,
  instant_tab_rate: 1,
  tokens: { prefill: 10, prefill_reused: 4, decoded: 8, decoded_speculative: 4, decoded_unused: 1 },
  cache: { entries: 3, bytes: 2048, evictions: 0 },
  recording: null,
};
const model = (change: Partial<Status["model"]>): Status => ({ ...READY, model: { ...READY.model, ...change } });

test("the status bar says what matters most", () => {
  const text = (...args: Parameters<typeof shown>) => shown(...args).text;
  assert.equal(text("missing", true, undefined), "$(warning) tabspec");
  assert.equal(text("stopped", true, READY), "$(warning) tabspec");
  assert.equal(text("starting", true, undefined), "$(loading~spin) tabspec");
  assert.equal(text("running", false, READY), "$(circle-slash) tabspec");
  assert.equal(text("running", true, undefined), "$(zap) tabspec");
  assert.equal(text("running", true, model({ state: "loading", percent: 41.7 })), "$(loading~spin) tabspec: model 42 %");
  assert.equal(text("running", true, model({ state: "loading" })), "$(loading~spin) tabspec: model");
  assert.equal(text("running", true, READY), "$(zap) tabspec 75 %");
});

test("what needs doing is coloured, and said", () => {
  const broken = shown("running", true, model({ state: "unusable", detail: "no such folder" }));
  assert.ok(broken.warning && broken.tooltip.includes("no such folder"));
  assert.ok(shown("missing", true, undefined).warning);
  assert.ok(!shown("running", true, READY).warning);
});

test("no hit rate before there was a suggestion", () => {
  const none = { ...READY, requests: 3, sources: { exact: 0, type_through: 0, speculated: 0, joined: 0, model: 0, none: 3 }, hit_rate: 0 };
  assert.equal(shown("running", true, none).text, "$(zap) tabspec");
});

test("the report has the figures, and names that are not markup", () => {
  const page = reportPage({ ...model({ detail: '<img src="x">' }), recording: "/tmp/<b>" });
  for (const part of ["75 %", "How 5 requests were answered", "2 of 4", "1 (25 %)", "&#60;img src=&#34;x&#34;&#62;", "/tmp/&#60;b&#62;"]) {
    assert.ok(page.includes(part), part);
  }
  assert.ok(!page.includes("<img") && !page.includes("<script"));
  assert.ok(reportPage(undefined).includes("not running"));
});
