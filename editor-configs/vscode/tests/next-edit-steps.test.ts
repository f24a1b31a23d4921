import assert from "node:assert/strict";
import { test } from "node:test";
import { afterChange, type After, type Offer } from "../src/next-edits/offer";
import { made, moved, shifted, stays, type Change, type Place, type Step } from "../src/next-edits/step";

/** A document as a string. */
function after(text: string): After {
  return {
    slice: (start, end) => text.slice(start, end),
    positionAt: (offset) => place(text, offset),
    line: (number) => text.split("\n")[number],
  };
}

function place(text: string, offset: number): Place {
  const lines = text.slice(0, offset).split("\n");
  return { line: lines.length - 1, character: lines[lines.length - 1].length };
}

const offset = (text: string, { line, character }: Place) =>
  text.split("\n").slice(0, line).reduce((sum, before) => sum + before.length + 1, 0) + character;

const apply = (text: string, { rangeOffset, rangeLength, text: put }: Change) =>
  text.slice(0, rangeOffset) + put + text.slice(rangeOffset + rangeLength);

function step(text: string, start: number, end: number, put: string): Step {
  const edited = text.slice(0, start) + put + text.slice(end);
  return {
    textDocument: { uri: "file:///a.py", version: 1 },
    range: { start: place(text, start), end: place(text, end) },
    text: put,
    cursor: place(edited, start + put.length),
    jump: place(text, start),
    command: { command: "tabspec.accepted", arguments: [] },
  };
}

function offered(text: string, start: number, end: number, put: string, how: Offer["how"] = "drawn"): Offer {
  const standing = { offset: start, old: text.slice(start, end) };
  return { steps: [step(text, start, end, put)], standing, how, revealed: false, current: true };
}

/** Numbers from a seed (the linear congruential generator of POSIX). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
}

test("a change elsewhere and the edit can be made in either order", () => {
  let kept = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const random = numbers(seed * 7919);
    const piece = (most: number) => Array.from({ length: random(most + 1) }, () => "ab \n"[random(4)]).join("");
    const text = piece(40);
    const start = random(text.length + 1);
    const end = start + random(text.length - start + 1);
    const offer = offered(text, start, end, piece(6));
    const rangeOffset = random(text.length + 1);
    const change = { rangeOffset, rangeLength: random(text.length - rangeOffset + 1), text: piece(4) };
    const changed = apply(text, change);
    const becomes = afterChange(offer, [change], after(changed));
    if (becomes === undefined || becomes === "made") continue;
    kept++;
    const [now] = becomes.steps;
    const from = offset(changed, now.range.start);
    assert.equal(changed.slice(from, offset(changed, now.range.end)), text.slice(start, end));
    const editedThen = apply(changed, { rangeOffset: from, rangeLength: end - start, text: now.text });
    const editFirst = apply(text, { rangeOffset: start, rangeLength: end - start, text: now.text });
    const grown = now.text.length - (end - start);
    const later = { ...change, rangeOffset: rangeOffset >= end && from === start ? rangeOffset + grown : rangeOffset };
    assert.equal(editedThen, apply(editFirst, later), JSON.stringify({ text, start, end, change }));
    assert.equal(offset(editedThen, now.cursor), from + now.text.length);
    assert.deepEqual(now.jump, now.range.start);
    assert.ok(!becomes.current);
  }
  assert.ok(kept > 500, `${kept} of the changes were elsewhere`);
});

test("a change is recognized as the edit however it is divided, and no other is", () => {
  let found = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const random = numbers(seed * 104729);
    const piece = (most: number) => Array.from({ length: random(most + 1) }, () => "ab"[random(2)]).join("");
    const text = piece(8);
    const start = random(text.length + 1);
    const end = start + random(text.length - start + 1);
    const put = piece(3);
    const rangeOffset = random(text.length + 1);
    const change = { rangeOffset, rangeLength: random(text.length - rangeOffset + 1), text: piece(3) };
    const changed = apply(text, change);
    const inside = rangeOffset >= start && rangeOffset + change.rangeLength <= end;
    const wanted = inside && changed === text.slice(0, start) + put + text.slice(end);
    assert.equal(made({ offset: start, old: text.slice(start, end) }, put, [change], after(changed).slice), wanted);
    if (wanted) found++;
  }
  assert.ok(found > 50, `${found} changes made the edit`);
});

test("indenting a line keeps an edit on it", () => {
  const text = "if x:\nfoo(total)\n";
  const offer = offered(text, 10, 15, "amount");
  const indent = { rangeOffset: 6, rangeLength: 0, text: "    " };
  const becomes = afterChange(offer, [indent], after(apply(text, indent)));
  assert.ok(becomes && becomes !== "made");
  assert.deepEqual(becomes.steps[0].range, { start: { line: 1, character: 8 }, end: { line: 1, character: 13 } });
});

test("typing in the word that goes, or right beside it, ends the edit; a blank beside it does not", () => {
  const standing = { offset: 4, old: "total" };
  const typed = (rangeOffset: number, text: string) => shifted(standing, [{ rangeOffset, rangeLength: 0, text }]);
  assert.equal(typed(6, "x"), undefined);
  assert.equal(typed(4, "x"), undefined);
  assert.equal(typed(9, "x"), undefined);
  assert.equal(typed(4, "  "), 6);
  assert.equal(typed(9, " "), 4);
  assert.equal(typed(0, "xx"), 6);
  assert.equal(typed(10, "x"), 4);
});

test("changes of several cursors at once", () => {
  const changes = [0, 2, 20].map((rangeOffset) => ({ rangeOffset, rangeLength: 1, text: "abc" }));
  assert.equal(shifted({ offset: 4, old: "total" }, changes), 8);
  assert.equal(shifted({ offset: 4, old: "total" }, [...changes, { rangeOffset: 5, rangeLength: 1, text: "" }]), undefined);
});

test("a cursor that stays has the same line and column in the text after the changes", () => {
  let kept = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const random = numbers(seed * 15485863);
    const piece = (most: number) => Array.from({ length: random(most + 1) }, () => "ab\n"[random(3)]).join("");
    const text = piece(20);
    const cursor = random(text.length + 1);
    const rangeOffset = random(text.length + 1);
    const change = { rangeOffset, rangeLength: random(text.length - rangeOffset + 1), text: piece(3) };
    const end = rangeOffset + change.rangeLength;
    const range = { start: place(text, rangeOffset), end: place(text, end) };
    if (!stays(place(text, cursor), [{ range, text: change.text }])) continue;
    kept++;
    const now = rangeOffset >= cursor ? cursor : cursor + change.text.length - change.rangeLength;
    assert.ok(rangeOffset >= cursor || end < cursor, JSON.stringify({ text, cursor, change }));
    assert.deepEqual(place(apply(text, change), now), place(text, cursor), JSON.stringify({ text, cursor, change }));
  }
  assert.ok(kept > 500, `${kept} of the cursors stayed`);
  const at = { line: 0, character: 2 };
  const beside = (start: number, end: number, put: string) => stays(at, [{ range: { start: { ...at, character: start }, end: { ...at, character: end } }, text: put }]);
  assert.ok(beside(2, 3, ""), "Delete");
  assert.ok(!beside(2, 2, "x") && !beside(1, 2, ""), "a typed letter, and Backspace");
});

test("a step of several lines is moved as a whole", () => {
  const before = step("a\nb c\nd\n", 4, 6, "x\ny");
  const now = moved(before, { line: 3, character: 0 });
  assert.deepEqual(now.range, { start: { line: 3, character: 0 }, end: { line: 4, character: 0 } });
  assert.deepEqual(now.cursor, { line: 4, character: before.cursor.character });
});

test("ghost text stays while what it says is typed, and goes with anything else", () => {
  const text = "x = compute(a)\n";
  const offer = offered(text, 12, 13, "a, timeout", "inline");
  const type = (letters: string) => {
    const change = { rangeOffset: 13, rangeLength: 0, text: letters };
    return afterChange(offer, [change], after(apply(text, change)));
  };
  const becomes = type(", t");
  assert.ok(becomes && becomes !== "made" && becomes.how === "inline" && becomes.current);
  assert.deepEqual(becomes.steps[0].range.end, { line: 0, character: 16 });
  assert.equal(becomes.standing.old, "a, t");
  assert.equal(type(";"), undefined);
  assert.equal(type(", timeout"), "made");
});
