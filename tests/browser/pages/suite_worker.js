/** Boots Python as the engine's worker does, copies the repository's tests in, and runs the suite. */
for (const name of ["Suspending", "promising", "Suspender"]) Reflect.deleteProperty(WebAssembly, name);
const LOCK = {
  info: { abi_version: "2026_0", arch: "wasm32", platform: "emscripten_5_0_3", python: "3.14.2" },
  packages: {},
};

self.onmessage = async ({ data: { package: name, files, url, mode, words } }) => {
  const say = (line) => self.postMessage({ line });
  try {
    const { loadPyodide } = await import("/weft/pyodide.mjs");
    const { default: createPyodideModule } = await import("/weft/pyodide.asm.mjs");
    const assets = new URL("/weft/", self.location.href).href;
    const python = await loadPyodide({
      createPyodideModule,
      indexURL: assets,
      packageBaseUrl: assets,
      stdLibURL: `${assets}stdlib.zip`,
      lockFileContents: JSON.stringify(LOCK),
      enableRunUntilComplete: false,
    });
    for (const path of files) {
      const target = `/repository/${path}`;
      python.FS.mkdirTree(target.slice(0, target.lastIndexOf("/")));
      python.FS.writeFile(target, await (await fetch(`/repository/${path}`)).text());
    }
    python.runPython("import sys; sys.path.insert(0, '/repository')");
    python.runPython(await (await fetch("/repository/tests/browser/run_suite.py")).text());
    python.globals.get("start")(name, url, mode, words, say, (failures) => self.postMessage({ failures }));
  } catch (error) {
    say(String(error.message ?? error));
    self.postMessage({ failures: 1 });
  }
};
