/** What `Weft.open` is given, judged and made complete before anything is opened. */

import { WeftError } from "../errors.js";
import type { AppFile, Durability } from "../protocol.js";
import { shownShort } from "../shown.js";
import type { Activity } from "./calls.js";
import type { EngineOptions } from "./engine.js";
import { checkOptions, isPlain, type Known, refuse } from "./options.js";

export interface OpenOptions {
  /** `module:app`: which app the engine runs. */
  readonly app: string;
  /** The app's sources: module path in Python -> URL on this site, e.g. `{"shop.py": "/shop.py"}`. */
  readonly files?: Readonly<Record<string, string>> | undefined;
  /** URLs of pure wheels on this site that the app imports. */
  readonly packages?: readonly string[] | undefined;
  /** Activities in JavaScript, by the name the workflow calls. They run in this page. */
  readonly activities?: Readonly<Record<string, Activity>> | undefined;
  /** The IndexedDB database; the part of `app` before the colon when not given. */
  readonly database?: string | undefined;
  /** `strict` (default) waits for the disk at each commit; `relaxed` survives a crash of the browser, not a power cut. */
  readonly durability?: Durability | undefined;
  /** The folder with the worker and Pyodide; beside this module when not given. */
  readonly assets?: string | undefined;
  /** `false`: start no engine in this tab; runs advance when another tab has one. */
  readonly engine?: boolean | undefined;
}

const OPEN_OPTIONS: Known<OpenOptions> = {
  app: true,
  files: true,
  packages: true,
  activities: true,
  database: true,
  durability: true,
  assets: true,
  engine: true,
};
/** A file's place in the app's folder: `a.py`, `shop/orders.py`. */
const INSIDE = /^(?:[^/\\]+\/)*[^/\\]+$/;

/** What an engine needs, from what a page gives. Throws `declaration`. */
export function judged(options: OpenOptions): EngineOptions & { readonly engine: boolean } {
  checkOptions("Weft.open", options, OPEN_OPTIONS);
  const { app, durability = "strict", engine = true } = options;
  if (typeof app !== "string" || app === "") refuse('app names the app as "module:variable"', app);
  if (durability !== "strict" && durability !== "relaxed") refuse('durability is "strict" or "relaxed"', durability);
  if (typeof engine !== "boolean") refuse("engine is true or false", engine);
  return {
    database: databaseName(options.database ?? app.split(":")[0]),
    durability,
    engine,
    app,
    files: appFiles(options.files ?? {}),
    packages: packageUrls(options.packages ?? []),
    activities: activitiesByName(options.activities ?? {}),
    assets: assetsFolder(options.assets ?? ""),
  };
}

function databaseName(given: unknown): string {
  if (typeof given !== "string") refuse("database is the name of one", given);
  if (/^[^?\s]+$/.test(given) && !/^\/|\/$/.test(given)) return given;
  const message = `${shownShort(given)} is no name for a database: no blank, no "?", no "/" at its ends`;
  throw new WeftError("declaration", message);
}

function appFiles(given: unknown): AppFile[] {
  if (!isPlain(given)) refuse('files is an object of URLs by path, such as { "shop.py": "/shop.py" }', given);
  return Object.entries(given).map(([path, url]) => {
    if (!INSIDE.test(path) || path.split("/").some((part) => part === ".." || part === ".")) {
      refuse('a path in files leads into the app\'s folder, such as "shop/orders.py"', path);
    }
    return { path, url: absolute(`files[${JSON.stringify(path)}]`, url) };
  });
}

function packageUrls(given: unknown): string[] {
  if (!Array.isArray(given)) refuse('packages is an array of URLs of wheels, such as ["/wheels/shop.whl"]', given);
  return given.map((url, i) => absolute(`packages[${i}]`, url));
}

/** Also a module of activities, as `import * as` gives it. */
function activitiesByName(given: unknown): Readonly<Record<string, Activity>> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    refuse("activities is an object of functions by the name that workflows call", given);
  }
  for (const [name, activity] of Object.entries(given)) {
    if (typeof activity !== "function") refuse(`the activity ${shownShort(name)} is a function`, activity);
  }
  return given as Readonly<Record<string, Activity>>;
}

function assetsFolder(given: unknown): string {
  if (given === "") return new URL(".", import.meta.url).href;
  if (typeof given !== "string") refuse('assets is the URL of a folder, such as "/weft/"', given);
  return absolute("assets", `${given.replace(/\/+$/, "")}/`);
}

function absolute(what: string, url: unknown): string {
  if (typeof url !== "string") refuse(`${what} is a URL`, url);
  try {
    return new URL(url, document.baseURI).href;
  } catch {
    return refuse(`${what} is a URL`, url);
  }
}
