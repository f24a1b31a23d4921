import assert from "node:assert/strict";
import { test } from "node:test";
import { boxStyle, hintStyle } from "../src/next-edits/css";
import { direction, hint } from "../src/next-edits/hint";
import { shownInline } from "../src/next-edits/inline";
import { picture, width, type Picture } from "../src/next-edits/picture";
import type { Span } from "../src/next-edits/step";
import { difference } from "../src/next-edits/words";

const span = (line: number, start: number, end: number, last = line): Span => ({
  start: { line, character: start },
  end: { line: last, character: end },
});

function drawn(text: string, range: Span, put: string): Picture {
  const lines = text.split("\n");
  return picture({ range, text: put }, { lineCount: lines.length, line: (number) => lines[number], tabSize: 4 });
}

test("words that go and words that come", () => {
  const parts = (before: string, after: string) => {
    const { removed, added } = difference(before, after);
    const of = (text: string, stretches: readonly (readonly [number, number])[]) => stretches.map(([start, end]) => text.slice(start, end));
    return [of(before, removed), of(after, added)];
  };
  assert.deepEqual(parts("f(total, x)", "f(amount, x)"), [["total"], ["amount"]]);
  assert.deepEqual(parts("a + b", "a + b + c"), [[], [" + c"]]);
  assert.deepEqual(parts("old name here", "new thing here"), [["old name"], ["new thing"]]);
  assert.deepEqual(parts("total = total", "sum = sum"), [["total", "total"], ["sum", "sum"]]);
  assert.deepEqual(parts("é🐍x", "é🐍y"), [["x"], ["y"]]);
  assert.deepEqual(parts("same", "same"), [[], []]);
});

test("what is kept of both texts is the same, whatever they are", () => {
  let seed = 1;
  const random = (below: number) => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) % below;
  const text = () => Array.from({ length: random(12) }, () => ["a", "b", " ", "\n", "(", "🐍"][random(6)]).join("");
  for (let turn = 0; turn < 2000; turn++) {
    const [before, after] = [text(), text()];
    const { removed, added } = difference(before, after);
    const rest = (whole: string, gone: readonly (readonly [number, number])[]) =>
      [...gone].reverse().reduce((left, [start, end]) => left.slice(0, start) + left.slice(end), whole);
    const blank = (kept: string) => kept.replaceAll(/[ \t]/g, ""); // blanks between two stretches belong to them
    assert.equal(blank(rest(before, removed)), blank(rest(after, added)), JSON.stringify([before, after]));
  }
});

test("very long texts are shown as replaced", () => {
  const words = (word: string) => Array.from({ length: 600 }, (_, i) => word + i).join(" ");
  const { removed, added } = difference(words("a"), words("b"));
  assert.deepEqual([removed.length, added.length], [1, 1]);
});

test("a replaced word: it is struck, and the line as it will be stands to the right", () => {
  const { struck, box, carets, lines } = drawn("def f(amount):\n    x = total * 2\n", span(1, 8, 13), "amount");
  assert.deepEqual(struck, [span(1, 8, 13)]);
  assert.deepEqual([carets, lines], [[], []]);
  assert.deepEqual(box, { line: 1, where: "right", column: 2, lines: ["x = amount * 2"], added: [[[4, 10]]] });
});

test("an edit that is given as whole lines is drawn as the words that differ", () => {
  const { struck, box } = drawn("a\nf(total)\nb\n", span(0, 0, 0, 3), "a\nf(amount)\nb\n");
  assert.deepEqual(struck, [span(1, 2, 7)]);
  assert.deepEqual(box?.lines, ["f(amount)"]);
});

test("an insertion: nothing is struck, and its place is marked", () => {
  const { struck, carets, box } = drawn("f(a)\n", span(0, 3, 3), ", b");
  assert.deepEqual([struck, carets], [[], [{ line: 0, character: 3 }]]);
  assert.deepEqual(box?.added, [[[3, 6]]]);
});

test("a box is to the right of all the lines that it covers, or below if that is too far", () => {
  const right = drawn(`f()\n${"x".repeat(30)}\n`, span(0, 0, 3), "if x:\n    g()").box;
  assert.deepEqual([right?.where, right?.column], ["right", 29]);
  const below = drawn(`    f()\n${"x".repeat(90)}\n`, span(0, 4, 7), "if x:\n        g()").box;
  assert.deepEqual([below?.where, below?.column, below?.lines], ["below", 4, ["if x:", "    g()"]]);
});

test("new lines stand below the line that they follow", () => {
  const { struck, box } = drawn("a\nb\n", span(1, 0, 0), "new\n");
  assert.deepEqual(struck, []);
  assert.deepEqual(box, { line: 0, where: "below", column: 0, lines: ["new"], added: [[[0, 3]]] });
});

test("lines that go are struck without their indentation, and need no box", () => {
  const { struck, lines, box } = drawn("a\n    b\n\nc\n", span(1, 0, 0, 3), "");
  assert.deepEqual([struck, lines, box], [[span(1, 4, 5)], [2], undefined]);
});

test("joined lines and blanks at a line's end cannot be struck: their lines are marked", () => {
  assert.deepEqual(drawn("a  \nb\n", span(0, 1, 3), "").lines, [0]);
  assert.deepEqual(drawn("f(\n)\n", span(0, 2, 0, 1), "").lines, [0, 1]);
});

test("of a long box the first lines are shown", () => {
  const many = Array.from({ length: 30 }, (_, i) => `line ${i}`).join("\n");
  const { box } = drawn("a\n", span(0, 0, 1), many);
  assert.equal(box?.lines.length, 12);
  assert.equal(box?.lines.at(-1), "… 19 more lines");
});

test("tabs and wide characters take their columns", () => {
  assert.equal(width("\tx", 4), 5);
  assert.equal(width("ab\tx", 4), 5);
  assert.equal(width("漢字🐍é", 4), 7);
});

test("no text ends the style that it stands in", () => {
  const nasty = `a"; } </style> \\ ' {0} \n é`;
  for (const { textDecoration } of [hintStyle(nasty), boxStyle({ line: 0, where: "right", column: 2, lines: nasty.split("\n"), added: [[], []] })]) {
    const content = /content: ("[^"]*")/.exec(textDecoration)?.[1] ?? "";
    assert.ok(!/["'<>{}\n]|\\[^0-9a-f]/.test(content.slice(1, -1)), content);
    const read = content.slice(1, -1).replaceAll(/\\([0-9a-f]+) /g, (_, code) => String.fromCodePoint(parseInt(code, 16)));
    assert.equal(read, nasty);
  }
});

test("what VS Code shows as ghost text: the cursor in the range, the text before it kept, the text after it a subsequence", () => {
  const shown = (line: string, cursor: number, start: number, end: number, text: string) =>
    shownInline({ range: span(0, start, end), text }, line, { line: 0, character: cursor });
  assert.ok(shown("f(a)", 3, 3, 3, ", b"));
  assert.ok(shown("f(a)", 3, 0, 4, "f(a, b)"));
  assert.ok(shown("x = f(", 6, 6, 6, "a)\n    return x"));
  assert.ok(!shown("f(a)", 2, 3, 3, ", b"), "the cursor is outside of the range");
  assert.ok(!shown("f(a)", 3, 0, 4, "g(a, b)"), "the text before the cursor goes");
  assert.ok(!shown("f(ax)", 3, 0, 5, "f(a, b)"), "the text after the cursor goes");
  assert.ok(!shown("f(a)", 4, 3, 4, ""), "a deletion");
  assert.ok(!shown("f(a)", 3, 3, 3, "\n"), "several lines before the line's end");
  assert.ok(!shownInline({ range: span(0, 0, 0, 1), text: "x" }, "", { line: 0, character: 0 }), "a range of two lines");
});

test("an edit out of sight: where it is, and which key goes there", () => {
  const visible = [span(10, 0, 0, 30), span(40, 0, 0, 50)];
  const cursor = { line: 20, character: 3 };
  const at = (line: number) => direction({ range: span(line, 0, 1) }, visible, cursor);
  assert.deepEqual([at(3), at(10), at(35), at(45), at(51)], ["up", "here", "down", "here", "down"]);
  assert.equal(direction({ range: span(3, 0, 0, 12) }, visible, cursor), "up", "it begins above");
  const says = (line: number, key = "Tab") => hint({ range: span(line, 0, 1) }, at(line), visible, cursor, key);
  assert.deepEqual(says(3), { line: 10, direction: "up", text: "↑ next edit at line 4 (Tab)" });
  assert.deepEqual(says(99, "Alt+J"), { line: 49, direction: "down", text: "↓ next edit at line 100 (Alt+J)" });
  const other = hint({ range: span(4, 0, 1) }, "elsewhere", visible, cursor, "Tab", "src/b.py");
  assert.deepEqual(other, { line: 20, direction: "elsewhere", text: "→ next edit in src/b.py:5 (Tab)" });
});
