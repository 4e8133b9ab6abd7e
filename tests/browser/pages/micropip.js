/** What somebody does who only has Pyodide: its own event loop, its own standard library, and micropip. */
import { loadPyodide } from "/pyodide/pyodide.mjs";

const LOCK = {
  info: { abi_version: "2026_0", arch: "wasm32", platform: "emscripten_5_0_3", python: "3.14.2" },
  packages: {},
};

globalThis.useWheel = async ({ tools, wheel, program, source }) => {
  const python = await loadPyodide({ indexURL: "/pyodide/", lockFileContents: JSON.stringify(LOCK) });
  await python.loadPackage(tools);
  python.FS.writeFile("/home/pyodide/app.py", await (await fetch(source)).text());
  python.globals.set("wheel", new URL(wheel, location.href).href);
  const result = await python.runPythonAsync(program);
  return result?.toJs?.() ?? result;
};
