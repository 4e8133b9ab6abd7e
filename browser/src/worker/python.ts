/** Booting Pyodide from the site's own origin, without JSPI, from the precompiled standard library. */

import type { PyodideAPI } from "pyodide";
import type { AppFile } from "../protocol.js";

declare const WEFT_PYODIDE_LOCK: string;

/** How long a boot may take before it counts as hung: `loadPyodide` never settles when its wasm cannot be started. */
const BOOT_MS_MAX = 120_000;
export const APP_FOLDER = "/app";

/** JSPI doubles the cost of each turn and has a record of crashes; it must be gone before Pyodide's code is evaluated. */
export function switchOffJspi(): void {
  for (const name of ["Suspending", "promising", "Suspender"]) Reflect.deleteProperty(WebAssembly, name);
}

interface Loader {
  loadPyodide(options: Record<string, unknown>): Promise<PyodideAPI>;
}

/** Start Python from the folder `assets`. Rejects with what is missing there, by name. */
export async function bootPython(assets: string): Promise<PyodideAPI> {
  switchOffJspi();
  await Promise.all(["pyodide.asm.wasm", "stdlib.zip"].map((name) => present(assets + name)));
  const [loader, wasm] = await Promise.all([
    import(`${assets}pyodide.mjs`) as Promise<Loader>,
    import(`${assets}pyodide.asm.mjs`) as Promise<{ default: unknown }>,
  ]);
  const booted = loader.loadPyodide({
    createPyodideModule: wasm.default,
    indexURL: assets,
    packageBaseUrl: assets,
    stdLibURL: `${assets}stdlib.zip`,
    lockFileContents: WEFT_PYODIDE_LOCK,
    enableRunUntilComplete: false,
  });
  return Promise.race([booted, hung()]);
}

async function present(url: string): Promise<void> {
  const response = await fetch(url, { method: "HEAD" });
  if (!response.ok) throw new Error(`${url} is not served (${response.status}); copy the whole folder of assets`);
  if (url.endsWith(".wasm") && !response.headers.get("content-type")?.startsWith("application/wasm")) {
    throw new Error(`${url} must be served with the content type application/wasm`);
  }
}

function hung(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`Python did not start within ${BOOT_MS_MAX / 1000} s`)), BOOT_MS_MAX);
  });
}

/** Put the app's sources where Python imports from. The page has judged their paths. */
export async function loadFiles(python: PyodideAPI, files: readonly AppFile[]): Promise<void> {
  await Promise.all(
    files.map(async ({ path, url }) => {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`${url} (for ${path}) is not served: ${response.status}`);
      const target = `${APP_FOLDER}/${path}`;
      python.FS.mkdirTree(target.slice(0, target.lastIndexOf("/")));
      python.FS.writeFile(target, new Uint8Array(await response.arrayBuffer()));
    }),
  );
}

/** Install pure wheels. `loadPackage` resolves even when one failed, so look. */
export async function loadWheels(python: PyodideAPI, urls: readonly string[]): Promise<void> {
  if (urls.length === 0) return;
  const problems: string[] = [];
  await python.loadPackage([...urls], {
    errorCallback: (message) => problems.push(message),
    messageCallback: () => {},
  });
  if (problems.length > 0) throw new Error(`packages did not load: ${problems.join("; ")}`);
}
