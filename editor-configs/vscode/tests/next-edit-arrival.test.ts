import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrival } from "../src/next-edits/arrival";

const at = (line: number, character = 0) => ({ line, character });
const lines = (first: number, last: number) => [{ start: at(first), end: at(last) }];

test("the cursor is where it was put until the user moves it", () => {
  const arrival = new Arrival();
  assert.equal(arrival.at, undefined);
  arrival.goTo(at(5, 2));
  arrival.movedTo(at(1)); // VS Code moves it with the edit first
  arrival.scrolledTo(lines(0, 3));
  assert.deepEqual(arrival.at, at(5, 2));
  arrival.arrived(at(5, 2));
  arrival.movedTo(at(5, 2));
  assert.deepEqual(arrival.at, at(5, 2));
  arrival.movedTo(at(5, 3));
  assert.equal(arrival.at, undefined);
  arrival.movedTo(at(5, 2));
  assert.equal(arrival.at, undefined, "the user came back");
});

test("and until it is scrolled out of sight", () => {
  const arrival = new Arrival();
  arrival.arrived(at(50));
  arrival.scrolledTo(lines(40, 60));
  assert.deepEqual(arrival.at, at(50));
  arrival.scrolledTo(lines(0, 20));
  assert.equal(arrival.at, undefined);
});
