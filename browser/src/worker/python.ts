/** Booting Pyodide from the site's own origin, without JSPI, from the precompiled standard library. */

import type { PyodideAPI } from "pyodide";
import type { AppFile } from "../protocol.js";
import { ask, notFetched, present, Unreachable } from "../reach.js";

declare const WEFT_PYODIDE_LOCK: string;

/** How long a boot may take before it counts as hung: `loadPyodide` never settles when its wasm cannot be started. */
const BOOT_MS_MAX = 120_000;
export const APP_FOLDER = "/app";

/** JSPI doubles the cost of each turn and has a record of crashes; it must be gone before Pyodide's code is evaluated. */
function switchOffJspi(): void {
  for (const name of ["Suspending", "promising", "Suspender"]) Reflect.deleteProperty(WebAssembly, name);
}

/** What is fetched from the folder of assets. */
const ASSETS = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "stdlib.zip"];

interface Loader {
  loadPyodide(options: Record<string, unknown>): Promise<PyodideAPI>;
}

export interface Boot {
  readonly assets: string;
  readonly files: readonly AppFile[];
  readonly packages: readonly string[];
}

/**
 * Python with the app's files and wheels. Rejects with `Unreachable` when the site is to blame and another try may succeed,
 * else with what is missing, by name.
 */
export async function boot({ assets, files, packages }: Boot): Promise<PyodideAPI> {
  try {
    const python = await bootPython(assets);
    await Promise.all([loadFiles(python, files), loadWheels(python, packages)]);
    return python;
  } catch (error) {
    if (notFetched(error)) throw new Unreachable((error as Error).message, { cause: error });
    throw error;
  }
}

async function bootPython(assets: string): Promise<PyodideAPI> {
  switchOffJspi();
  const allPresent = () => Promise.all(ASSETS.map((name) => present(assets + name)));
  await allPresent();
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
  try {
    return await Promise.race([booted, hung()]);
  } catch (error) {
    await allPresent(); // what was lost on the way hangs, and is told of in no way
    throw error;
  }
}

function hung(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`Python did not start within ${BOOT_MS_MAX / 1000} s`)), BOOT_MS_MAX);
  });
}

/** Put the app's sources where Python imports from. The page has judged their paths. */
async function loadFiles(python: PyodideAPI, files: readonly AppFile[]): Promise<void> {
  await Promise.all(
    files.map(async ({ path, url }) => {
      const response = await ask(url, `it was given in \`files\` for ${path}`, "GET", /\.html?$/i.test(path));
      const target = `${APP_FOLDER}/${path}`;
      python.FS.mkdirTree(target.slice(0, target.lastIndexOf("/")));
      python.FS.writeFile(target, new Uint8Array(await response.arrayBuffer()));
    }),
  );
}

/** Install pure wheels. `loadPackage` resolves even when one failed, so look. */
async function loadWheels(python: PyodideAPI, urls: readonly string[]): Promise<void> {
  if (urls.length === 0) return;
  await Promise.all(urls.map((url) => ask(url, "it was given in `packages`", "HEAD")));
  const problems: string[] = [];
  await python.loadPackage([...urls], {
    errorCallback: (message) => problems.push(message),
    messageCallback: () => {},
  });
  if (problems.length > 0) throw new Error(`packages did not load: ${problems.join("; ")}`);
}
