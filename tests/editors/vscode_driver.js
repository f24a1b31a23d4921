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
 *   {"do": "command", "title": …}            a command from the palette
 *   {"do": "file", "name": …}                open a file of the folder
 *   {"do": "frames", "selector": …}          the texts of the elements, in any frame of the page
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
  const spans = () => shown(".editor-instance .view-lines .view-line span span");
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
    /** What the extension has put after lines: the box of a next edit, or its hint. */
    box: () =>
      spans()
        .map((span) => getComputedStyle(span, "::after"))
        .filter((style) => style.position === "absolute" && style.content.startsWith('"'))
        .map((style) => JSON.parse(style.content.replaceAll(/\\([0-9a-f]+) /g, (_, code) => `\\u${code.padStart(4, "0")}`)))
        .join(" | "),
    /** Where VS Code itself shows an edit: how many pixels below the first line its mark is; "" if it shows none. */
    edit: () => /** @type {HTMLElement | null} */ (document.querySelector(".inline-edits-view-gutter-indicator > div"))?.style.top ?? "",
    /** Where the cursor is: "Ln 1, Col 1". */
    position: () => shown('.statusbar-item[id="status.editor.selection"]').map(text).join("").trim(),
    /** What is struck through. */
    struck: () => spans().filter((span) => getComputedStyle(span).textDecorationLine === "line-through").map(text),
    /** Where each line is on the screen. */
    tops: () => shown(".editor-instance .view-lines .view-line").map(top).sort((a, b) => a - b),
    /** What the extension's item in the status bar says. */
    status: () => shown('.statusbar-item[id^="tabspec.tabspec"]').map(text).join("").trim(),
    notified: (/** @type {string} */ words) => shown(".notification-list-item-message").some((item) => text(item).includes(words)),
    /** Whether the cursor has been where it is for so long that it blinks: half a second. */
    blinked: () => shown(".editor-instance .cursors-layer .cursor").some((cursor) => getComputedStyle(cursor).visibility === "hidden"),
    has: (/** @type {string} */ selector) => document.querySelector(selector) !== null,
    tab: (/** @type {string} */ label) => shown(".tabs-container .tab").some((tab) => text(tab).includes(label)),
    /** The ghost text (or another part) of the last picture noted. */
    painted: (/** @type {string | null} */ part) => globalThis.tabspecWatched.findLast((note) => "lines" in note)?.[part ?? "ghost"],
    /** What was noted since `watch`: the keys pressed, and each picture that differed from the one before; `at` in ms. */
    watched: () => globalThis.tabspecWatched,
    /** Begin to note, frame by frame, the document and the ghost text; and the box, if `withBox`. */
    watch(withBox = false) {
      const { ghost, lines, box } = globalThis.tabspecLooks;
      const notes = (globalThis.tabspecWatched = /** @type {object[]} */ ([]));
      let last = "";
      const look = () => {
        const picture = { ghost: ghost(), lines: lines(), ...(withBox && { box: box() }) };
        if (JSON.stringify(picture) === last) return;
        last = JSON.stringify(picture);
        notes.push({ at: performance.now(), ...picture });
      };
      // A message posted by a frame arrives once that frame, with all that was drawn for it, has been painted.
      const painted = new MessageChannel();
      painted.port1.onmessage = look;
      const frame = () => {
        painted.port2.postMessage(null);
        requestAnimationFrame(frame);
      };
      addEventListener("keydown", ({ key, timeStamp }) => notes.push({ at: timeStamp, key }), { capture: true });
      requestAnimationFrame(frame);
    },
  };
}

/** @param {string} executablePath */
async function main(executablePath) {
  const launch = () =>
    chromium.launch({
      executablePath,
      // no sandbox: containers run as root; the rest keeps the browser from talking to anyone but us
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-quic", "--no-first-run"],
    });
  let browser = await launch();
  /** @type {import("playwright-core").Page} */
  let page;

  /** Choose what is found by `text` in the list that `key` opens. */
  const choose = async (/** @type {string} */ key, /** @type {string} */ text, /** @type {string} */ label) => {
    await page.keyboard.press(key);
    await page.locator(".quick-input-widget input").fill(text);
    await page.locator(".quick-input-list .monaco-list-row.focused", { hasText: label }).waitFor();
    await page.keyboard.press("Enter");
  };

  /** @type {Record<string, (command: any) => Promise<unknown>>} */
  const actions = {
    async open({ url }) {
      await page?.close().catch(() => undefined); // a page that has crashed cannot be closed
      if (!browser.isConnected()) browser = await launch();
      page = await browser.newPage({ viewport: { width: 1000, height: 700 } });
      page.setDefaultTimeout(300_000); // patience.py
      await page.addInitScript(`globalThis.tabspecLooks = (${looks})();`);
      await page.goto(url, { waitUntil: "commit", timeout: 300_000 }); // what is waited for is what is looked for next
    },
    type: ({ text, delay }) => page.keyboard.type(text, { delay }),
    press: ({ key }) => page.keyboard.press(key),
    click: ({ selector }) => page.click(selector),
    command: ({ title }) => choose("F1", `>${title}`, title),
    file: ({ name }) => choose("Control+p", name, name),
    frames: async ({ selector }) => {
      const texts = await Promise.all(page.frames().map((frame) => frame.locator(selector).allTextContents().catch(() => [])));
      return texts.flat();
    },
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
