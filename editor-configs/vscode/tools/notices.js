// @ts-check
"use strict";
/* THIRD_PARTY_NOTICES.txt: the licences of the packages in the bundle, from what esbuild says went into it.
 *
 *   node tools/notices.js META.json OUT.txt
 */

const fs = require("node:fs");
const path = require("node:path");

const [meta, out] = process.argv.slice(2);
const inputs = Object.keys(JSON.parse(fs.readFileSync(meta, "utf8")).inputs);
const folders = new Set(inputs.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]).filter((folder) => folder !== undefined));

const notices = [...folders].sort().map((folder) => {
  const { name, version, license } = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = fs.readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${folder} has no licence file: what may be shipped of it?`);
  return `${name} ${version} (${license})\n\n${fs.readFileSync(path.join(folder, file), "utf8").trim()}\n`;
});
fs.writeFileSync(out, `The extension contains the following packages.\n\n${notices.join(`\n${"-".repeat(78)}\n\n`)}`);
