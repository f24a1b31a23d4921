// @ts-check
"use strict";
/* Drives VS Code's workbench in Chromium for vscode_driver.py: a JSON command a line on stdin, a JSON answer on stdout.
 *
 *   node vscode_driver.js CHROMIUM
 *
 *   {"do": "open", "url": …}                 load a page, replacing the one before
 *   {"do": "type", "text": …, "delay": ms}   keys; "delay" between them
 *   {"do": "press", "key": "Control+S"}
 *   {"do": "click", "selector": …}
 *   {"do": "look", "name": …, "argument": …} what a function of LOOKS below returns
 *   {"do": "until", "name": …, "argument": …, "is": value, "timeout": ms}   waits, frame by frame, until it returns that
 *   {"do": "screenshot", "path": …}
 *
 * The answer is {"result": …} or {"error": "…"}.
 */

const readline = require("node:readline");
const { chromium } = require("playwright-core");

/** What can be seen. Functions that run in the page. */
function looks() {
  const GHOST = ".ghost-text-decoration, .ghost-text-decoration-preview, .ghost-text";
  const shown = (/** @type {string} */ selector) => [...document.querySelectorAll(selector)];
  // no-break spaces are how the editor draws spaces
  const text = (/** @type {Element} */ element) => (element.textContent ?? "").replaceAll("\u00a0", " ");
  const top = (/** @type {Element} */ element) => element.getBoundingClientRect().top;
  return {
    /** The ghost text, its lines joined; "" if none is shown. */
    ghost() {
      const inline = shown(".editor-instance .view-lines .view-line")
        .flatMap((line) => [...line.querySelectorAll(GHOST)].filter((span) => !span.parentElement?.closest(GHOST)).map(text))
        .join("");
      const below = shown(".editor-instance .suggest-preview-text .view-line, .editor-instance .ghost-text-lines .view-line");
      return [inline, ...below.sort((a, b) => top(a) - top(b)).map(text)].join("\n").replace(/\n+$/, "");
    },
    /** The document's lines as they are drawn, without the ghost text. */
    lines() {
      return shown(".editor-instance .view-lines .view-line")
        .sort((a, b) => top(a) - top(b))
        .map((line) => {
          const copy = /** @type {Element} */ (line.cloneNode(true));
          copy.querySelectorAll(GHOST).forEach((span) => span.remove());
          return text(copy);
        });
    },
    /** What the extension's item in the status bar says. */
    status: () => shown('.statusbar-item[id^="tabspec.tabspec"]').map(text).join("").trim(),
    notifications: () => shown(".notification-list-item-message").map(text),
    has: (/** @type {string} */ selector) => document.querySelector(selector) !== null,
    /** The frames seen since `watch`: what the ghost text was, and when (ms), at each change of it and at each key. */
    watched: () => globalThis.tabspecWatched,
    /** Begin to note, frame by frame, what the ghost text is. */
    watch() {
      const notes = (globalThis.tabspecWatched = /** @type {object[]} */ ([]));
      addEventListener("keydown", ({ key, timeStamp }) => notes.push({ at: timeStamp, key }), { capture: true });
      let last = "";
      const frame = () => {
        const ghost = globalThis.tabspecLooks.ghost();
        // The frame after the one that sees it is when it is on the screen for sure.
        if (ghost !== last) requestAnimationFrame((at) => notes.push({ at, ghost }));
        last = ghost;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    },
  };
}

/** @param {string} executablePath */
async function main(executablePath) {
  const browser = await chromium.launch({
    executablePath,
    // no sandbox: containers run as root; the rest keeps the browser from talking to anyone but us
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--disable-quic", "--no-first-run"],
  });
  /** @type {import("playwright-core").Page} */
  let page;

  /** @type {Record<string, (command: any) => Promise<unknown>>} */
  const actions = {
    async open({ url }) {
      await page?.close();
      page = await browser.newPage({ viewport: { width: 1000, height: 500 } });
      await page.addInitScript(`globalThis.tabspecLooks = (${looks})();`);
      await page.goto(url);
    },
    type: ({ text, delay }) => page.keyboard.type(text, { delay }),
    press: ({ key }) => page.keyboard.press(key),
    click: ({ selector }) => page.click(selector),
    look: ({ name, argument }) => page.evaluate(([name, argument]) => globalThis.tabspecLooks[name](argument), [name, argument]),
    async until({ name, argument, is, timeout }) {
      await page.waitForFunction(
        ([name, argument, is]) => JSON.stringify(globalThis.tabspecLooks[name](argument)) === JSON.stringify(is),
        [name, argument, is],
        { timeout },
      );
    },
    screenshot: ({ path }) => page.screenshot({ path }).then(() => undefined),
  };

  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const answer = await actions[command.do](command).then(
      (result) => ({ result: result ?? null }),
      (error) => ({ error: String(error).split("\n")[0] }),
    );
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser.close();
}

void main(process.argv[2]);
