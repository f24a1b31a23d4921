/* The environment in which Python is started: nothing of the workspace is on its path. */

// Python runs or searches for code that these variables name; tabspec/system/processes.py has the same list.
const NAMES_CODE = new Set([
  "PYTHONBREAKPOINT", "PYTHONEXECUTABLE", "PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONPLATLIBDIR",
  "PYTHONPYCACHEPREFIX", "PYTHONSTARTUP", "PYTHONWARNINGS",
]);

/** `env` without variables that name code, and then `own`, which the user has set for the server on purpose. */
export function pythonEnvironment(env: NodeJS.ProcessEnv, own: Record<string, string>): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !NAMES_CODE.has(name.toUpperCase()));
  return { ...Object.fromEntries(kept), PYTHONSAFEPATH: "1", ...own };
}
