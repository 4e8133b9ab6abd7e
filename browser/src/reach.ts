/** Whether the site hands out what an engine is made of; if not, whether asking again may help. For page and worker. */

/** The site did not answer, or not now: nothing is wrong with what was asked for. */
export class Unreachable extends Error {}

const TIMEOUT = 408;
const TOO_MANY_REQUESTS = 429;
const SERVER_ERRORS = 500;
/** What browsers say when a fetch, or the fetch of an import, did not come through; and what Pyodide makes of that. */
const NOT_FETCHED =
  /failed to fetch|networkerror|load failed|importing a module script failed|loading dynamically imported|request failed/i;

/** The answer to a request; a page only if `page`. Rejects with `Unreachable`, or with an error that ends in `remedy`. */
export async function ask(url: string, remedy: string, method = "GET", page = false): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { method });
  } catch (cause) {
    throw new Unreachable(`${url} cannot be reached (${cause})`, { cause });
  }
  const { ok, status, headers } = response;
  // Hosts of single pages answer with their page where there is no such file.
  if (ok && (page || !headers.get("content-type")?.startsWith("text/html"))) return response;
  if (status >= SERVER_ERRORS || status === TIMEOUT || status === TOO_MANY_REQUESTS) {
    throw new Unreachable(`${url} cannot be had at the moment: the server answers ${status}`);
  }
  throw new Error(`${url} is not served (${ok ? "a page came instead" : status}); ${remedy}`);
}

/** See that an asset is there. Rejects as `ask`. */
export async function present(url: string): Promise<void> {
  const response = await ask(url, "copy the whole folder of assets", "HEAD");
  if (url.endsWith(".wasm") && !response.headers.get("content-type")?.startsWith("application/wasm")) {
    throw new Error(`${url} must be served with the content type application/wasm`);
  }
}

/** Whether somebody else's request, of which there is only the error, did not come through. */
export function notFetched(error: unknown): boolean {
  return error instanceof Error && NOT_FETCHED.test(error.message);
}
