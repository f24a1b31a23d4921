import assert from "node:assert/strict";
import { test } from "node:test";
import { tabDoes, type Situation } from "../src/next-edits/tab";

const AWAY: Situation = { shown: "edit", selecting: false, inIndentation: false, broughtHere: false, atEdit: false };

test("Tab goes to the edit, and accepts it there", () => {
  assert.equal(tabDoes(AWAY), "jump");
  assert.equal(tabDoes({ ...AWAY, atEdit: true }), "accept");
});

test("in indentation Tab indents, unless Tab itself has brought the cursor there", () => {
  assert.equal(tabDoes({ ...AWAY, inIndentation: true }), "user");
  assert.equal(tabDoes({ ...AWAY, inIndentation: true, atEdit: true }), "user");
  assert.equal(tabDoes({ ...AWAY, inIndentation: true, atEdit: true, broughtHere: true }), "accept");
  assert.equal(tabDoes({ ...AWAY, inIndentation: true, broughtHere: true }), "jump");
});

test("in every other situation Tab is the user's", () => {
  const either = [false, true];
  for (const shown of ["nothing", "inline", "hint", "edit"] as const)
    for (const selecting of either)
      for (const inIndentation of either)
        for (const broughtHere of either)
          for (const atEdit of either)
            if (shown !== "edit" || selecting) {
              assert.equal(tabDoes({ shown, selecting, inIndentation, broughtHere, atEdit }), "user");
            }
});
