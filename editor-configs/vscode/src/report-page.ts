/* The report as a page. Pure: from the server's account to HTML without scripts. */

import { percent, suggested, type Status } from "./status";

const SOURCES: [keyof Status["sources"], string][] = [
  ["speculated", "asked ahead while another suggestion was shown"],
  ["type_through", "the rest of a suggestion being typed"],
  ["exact", "asked at this place before"],
  ["joined", "a generation that was under way already"],
  ["model", "the model, from the start"],
  ["none", "nothing to suggest"],
];

export function reportPage(status: Status | undefined): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>tabspec: report</title>
<style>
  body { font-family: var(--vscode-font-family); max-width: 46em; margin: 2em auto; padding: 0 1em; }
  .figures { display: flex; flex-wrap: wrap; gap: 1em; margin: 1em 0; }
  .figure { flex: 1 1 8em; padding: .8em 1em; border: 1px solid var(--vscode-widget-border, #8884); border-radius: 6px; }
  .figure b { display: block; font-size: 1.8em; font-weight: 600; }
  table { border-collapse: collapse; width: 100%; margin-bottom: 1.5em; }
  td, th { text-align: left; padding: .25em .6em .25em 0; font-weight: normal; vertical-align: top; }
  td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
  td.bar { width: 35%; vertical-align: middle; }
  td.bar div { height: .7em; border-radius: 2px; background: var(--vscode-charts-blue, #3794ff); min-width: 1px; }
  .quiet { opacity: .7; }
</style>
</head>
<body>
<h1>tabspec</h1>
${status ? account(status) : "<p>The language server is not running.</p>"}
</body>
</html>`;
}

function account(status: Status): string {
  const { tokens, cache, model } = status;
  const unused = tokens.decoded_speculative ? percent(tokens.decoded_unused / tokens.decoded_speculative) : "–";
  return `<p>Since the language server started. Model: ${escape(model.detail || model.name)} (${model.state}); policy: ${escape(status.policy)}.</p>
<div class="figures">
${figure(suggested(status) ? percent(status.hit_rate) : "–", "of the suggestions were there without waiting for the model")}
${figure(status.tabs ? percent(status.instant_tab_rate) : "–", `of ${status.tabs} Tabs: the next suggestion was already there; after ${status.silent_tabs} there was none`)}
${figure(`${status.accepted} of ${status.shown}`, `shown suggestions accepted; ${status.rejected} rejected`)}
</div>
<h2>How ${status.requests} requests were answered</h2>
<table>
${SOURCES.map(([source, meaning]) => bar(source, meaning, status.sources[source], status.requests)).join("\n")}
</table>
<h2>What it took</h2>
<table>
${line("Tokens decoded", tokens.decoded)}
${line("of these while asking ahead", tokens.decoded_speculative)}
${line("of those never used", `${tokens.decoded_unused} (${unused})`)}
${line("Prompt tokens run", tokens.prefill)}
${line("Prompt tokens taken over from before", tokens.prefill_reused)}
${line("Suggestions in the completion cache", `${cache.entries} (${Math.round(cache.bytes / 1024)} KiB, ${cache.evictions} evicted)`)}
</table>
<p class="quiet">${
    status.recording
      ? `Sessions are recorded to ${escape(status.recording)}: <code>tabspec report</code> compares them.`
      : "Nothing is recorded or sent."
  } tabspec ${escape(status.version)}</p>`;
}

const figure = (value: string, meaning: string) => `<div class="figure"><b>${value}</b>${meaning}</div>`;

const line = (name: string, value: string | number) => `<tr><td>${name}</td><td class="number">${value}</td></tr>`;

function bar(name: string, meaning: string, count: number, of: number): string {
  const width = of ? (100 * count) / of : 0;
  return `<tr><td>${name}</td><td class="quiet">${meaning}</td><td class="number">${count}</td>` +
    `<td class="bar">${count ? `<div style="width: ${width.toFixed(1)}%"></div>` : ""}</td></tr>`;
}

const escape = (text: string) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
