import assert from "node:assert/strict";
import { access, chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findServer, thisMachine, type Machine } from "../src/find-server";
import { pythonEnvironment } from "../src/python-environment";

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
  assert.deepEqual([found.command, found.args], ["/v/python", ["-P", "-m", "tabspec_lsp.main", "--stdio", "--log", "x"]]);
});

test("PATH comes before the interpreters", async () => {
  const found = await findServer(nothingSet, "/w/python", machine({ "tabspec-lsp": "/b/lsp" }, ["/w/python"]));
  assert.ok("command" in found);
  assert.deepEqual([found.command, found.args], ["/b/lsp", ["--stdio", "--log", "x"]]);
});

test("of the interpreters, the first that has tabspec", async () => {
  const all = machine({ python3: "/b/python3" }, ["/w/python", "/b/python3"]);
  const first = await findServer(nothingSet, "/w/python", all);
  const second = await findServer(nothingSet, "/other/python", all);
  assert.ok("command" in first && "command" in second);
  assert.deepEqual([first.command, second.command], ["/w/python", "/b/python3"]);
});

test("without a server, what was tried", async () => {
  const found = await findServer(nothingSet, "/w/python", machine({}, []));
  assert.deepEqual(found, { tried: ["tabspec-lsp on PATH", "/w/python", "python3", "python"] });
});

test("variables that name code for Python do not reach it, unless they are set for the server", () => {
  const given = { PATH: "/b", PYTHONPATH: "/w", PythonHome: "/w", PYTHONSTARTUP: "/w/x.py", PYTHONUTF8: "1" };
  const clean = { PATH: "/b", PYTHONUTF8: "1", PYTHONSAFEPATH: "1" };
  assert.deepEqual(pythonEnvironment(given, {}), clean);
  assert.deepEqual(pythonEnvironment(given, { PYTHONPATH: "/mine" }), { ...clean, PYTHONPATH: "/mine" });
});

test("a module in the working directory is not run by the probe, and folders of PATH are absolute", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tabspec-"));
  const before = process.cwd();
  try {
    for (const name of ["tabspec_lsp.py", "encodings.py", "types.py"])
      await writeFile(join(folder, name), `open(${JSON.stringify(join(folder, "ran"))}, "w")\n`);
    await writeFile(join(folder, "tabspec-lsp"), "#!/bin/sh\n");
    await chmod(join(folder, "tabspec-lsp"), 0o755);
    process.chdir(folder);
    const env = pythonEnvironment({ ...process.env, PYTHONPATH: folder, PATH: `.:${process.env.PATH}` }, {});
    assert.equal(await thisMachine({ ...env, PATH: ".::" }).onPath("tabspec-lsp"), undefined);
    const python = await thisMachine(env).onPath("python3");
    if (python) await thisMachine(env).hasTabspec(python);
    await assert.rejects(access(join(folder, "ran")));
  } finally {
    process.chdir(before);
    await rm(folder, { recursive: true });
  }
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
