import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findServer, thisMachine, type Machine } from "../src/find-server";

const nothingSet = { command: [], python: "", args: ["--log", "x"] };

/** A machine with these programs on PATH and tabspec in these Pythons; notes what was asked. */
function machine(onPath: Record<string, string>, pythons: string[], asked: string[] = []): Machine {
  return {
    onPath: async (name) => (asked.push(name), onPath[name]),
    hasTabspec: async (python) => (asked.push(python), pythons.includes(python)),
  };
}

test("a configured command is taken as it is, and nothing is looked for", async () => {
  const asked: string[] = [];
  const found = await findServer({ ...nothingSet, command: ["/a/lsp", "--stdio"] }, undefined, machine({}, [], asked));
  assert.ok("command" in found);
  assert.deepEqual([found.command, found.args, asked], ["/a/lsp", ["--stdio"], []]);
});

test("a configured Python comes before what is on PATH", async () => {
  const found = await findServer({ ...nothingSet, python: "/v/python" }, "/w/python", machine({ "tabspec-lsp": "/b/lsp" }, []));
  assert.ok("command" in found);
  assert.deepEqual([found.command, found.args], ["/v/python", ["-m", "tabspec_lsp.main", "--stdio", "--log", "x"]]);
});

test("PATH comes before the interpreters", async () => {
  const found = await findServer(nothingSet, "/w/python", machine({ "tabspec-lsp": "/b/lsp" }, ["/w/python"]));
  assert.ok("command" in found);
  assert.deepEqual([found.command, found.args], ["/b/lsp", ["--stdio", "--log", "x"]]);
});

test("of the interpreters, the first that has tabspec", async () => {
  const all = machine({}, ["/w/python", "python3"]);
  const first = await findServer(nothingSet, "/w/python", all);
  const second = await findServer(nothingSet, "/other/python", all);
  assert.ok("command" in first && "command" in second);
  assert.deepEqual([first.command, second.command], ["/w/python", "python3"]);
});

test("without a server, what was tried", async () => {
  const found = await findServer(nothingSet, "/w/python", machine({}, []));
  assert.deepEqual(found, { tried: ["tabspec-lsp on PATH", "/w/python", "python3", "python"] });
});

test("this machine: programs on PATH are those that can be run; a Python without tabspec has none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tabspec-"));
  try {
    const here = thisMachine({ PATH: folder });
    await writeFile(join(folder, "tabspec-lsp"), "#!/bin/sh\nexit 1\n");
    assert.equal(await here.onPath("tabspec-lsp"), undefined);
    await chmod(join(folder, "tabspec-lsp"), 0o755);
    assert.equal(await here.onPath("tabspec-lsp"), join(folder, "tabspec-lsp"));
    assert.equal(await here.hasTabspec(join(folder, "tabspec-lsp")), false);
    assert.equal(await here.hasTabspec(join(folder, "nothing")), false);
  } finally {
    await rm(folder, { recursive: true });
  }
});
