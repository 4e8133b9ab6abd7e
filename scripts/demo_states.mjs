// How the demo's page looks and speaks while things go wrong: on a narrow screen, with a server that fails, without an
// engine, with a file that cannot be read. Used by demo_browser.mjs, on a page whose tab runs the engine.

const LONG_NAME = `${"airports_of_the_whole_world_without_a_single_blank_in_the_name_".repeat(2).slice(0, 96)}.csv`;
const WIDTHS = [360, 400];
const HEIGHT = 900;
const DESKTOP = { width: 1280, height: 1000 };
/** The page fades from one colour into another. */
const FADE_MS = 400;
const API = "**/api/database/*";

const text = (page, selector) => page.locator(selector).textContent();
const focused = (page) => page.evaluate(() => document.activeElement?.id ?? "");

/** `say` takes whether something holds, and what; `shot` takes the page and a name for the picture. */
export async function checkStates(page, { csv, say, shot }) {
  const choose = (name, content) =>
    page.setInputFiles("#file", { name, mimeType: "text/csv", buffer: Buffer.from(content) });
  const shots = async (name) => {
    await shot(page, name);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.waitForTimeout(FADE_MS);
    await shot(page, `${name}-dark`);
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 400, height: HEIGHT });
    await page.waitForTimeout(FADE_MS);
    await shot(page, `${name}-narrow`);
    await page.setViewportSize(DESKTOP);
  };

  await page.click("#again");
  await page.setViewportSize({ width: 360, height: HEIGHT });
  await shot(page, "choose-a-file-narrow");
  const inside = await page.evaluate(() => {
    const card = document.querySelector("#intake")?.getBoundingClientRect();
    const button = document.querySelector("#sample")?.getBoundingClientRect();
    return Boolean(card && button && button.left > card.left && button.right < card.right);
  });
  say(inside, "the place for a file fits into 360 px");
  await page.setViewportSize(DESKTOP);
  say((await focused(page)) === "file", "asked for another file, the place for it has the focus");
  await choose(LONG_NAME, csv);
  await page.waitForSelector("#progress .done");
  say((await focused(page)) === "run-title", "after a file was chosen, its title has the focus");
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: HEIGHT });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    say(wide <= width, `a name of 100 letters fits into ${width} px (the page is ${wide} px wide)`);
  }
  await shot(page, "narrow");
  await page.setViewportSize(DESKTOP);

  await page.route(API, (route) => route.fulfill({ status: 503, body: "{}" }));
  await page.waitForFunction(() => document.querySelectorAll("#timeline .k-retry").length >= 2);
  const told = await text(page, "#trouble-text");
  say(told.includes("the server answered 503"), `a server that fails is told: ${told}`);
  say((await page.locator("#timeline .k-down").count()) === 0, "and not drawn as an engine that is down");
  const label = await page.locator("#timeline").getAttribute("aria-label");
  say(/now: retrying/.test(label), `the timeline is described: ${label}`);
  const value = await page.locator("#progress").getAttribute("aria-valuetext");
  say(/^[\d,]+ of 3,376 rows, batch \d+ of 34$/.test(value), `so is the progress: ${value}`);
  await shots("server-error");
  await page.unroute(API);
  await page.route(API, (route) => route.abort());
  await page.waitForFunction(() =>
    /cannot be reached/.test(document.querySelector("#trouble-text")?.textContent ?? ""),
  );
  say(true, `so is one that is not there: ${await text(page, "#trouble-text")}`);
  await page.unroute(API);
  await page.waitForSelector("#run-trouble", { state: "hidden" });

  // Read in the same moment in which it is killed.
  const picture = await page.evaluate(() => {
    document.querySelector("#kill")?.click();
    return {
      moving: document.querySelectorAll("#progress .now").length,
      down: document.querySelectorAll("#timeline .k-down").length,
      phase: document.querySelector("#run-phase")?.textContent ?? "",
    };
  });
  say(picture.moving === 0 && /no engine is running/.test(picture.phase), `killed, the page says so: ${picture.phase}`);
  await page.waitForSelector("#timeline .k-down");
  await page.waitForTimeout(600); // so that the picture shows it
  await shots("engine-killed");
  await page.click("#kill");
  await page.waitForFunction(() => document.querySelector("#figure-survived")?.textContent === "1");
  say(true, "started again, one interruption is counted as survived");

  await page.reload();
  await page.waitForSelector("#source .here");
  const inSight = await page.evaluate(() => {
    const row = document.querySelector("#source .here")?.getBoundingClientRect();
    const box = document.querySelector("#source")?.getBoundingClientRect();
    return Boolean(row && box && row.height > 0 && row.top >= box.top && row.bottom <= box.bottom);
  });
  say(inSight, "after a reload the line where it stands is in sight");
  await page.waitForSelector("#publish:enabled");
  await page.click("#publish");
  await page.waitForSelector("#verdict:not(:empty), #run-problem:not([hidden])");
  const verdict = await text(page, "#verdict");
  say(verdict.startsWith("Nothing had to be written"), `the same file again: ${verdict}`);

  await page.click("#again");
  await choose("latin1.csv", Buffer.from("code,city\nBSL,Basel\nZRH,Zürich\n", "latin1"));
  await page.waitForSelector("#intake-problem:not([hidden])");
  const foreign = await text(page, "#intake-problem");
  const named = foreign.includes("latin1.csv, line 3") && foreign.includes("UTF-8");
  say(named, `a file in another encoding is refused: ${foreign}`);
  say(!(await page.isVisible("#run")), "and nothing is started");
  await shots("another-encoding");
  await choose("torn.csv", Buffer.from("\ufeffa,b\n1,2\n3\n", "utf16le"));
  await page.waitForSelector("#run-problem:not([hidden])");
  const refusal = await text(page, "#run-problem");
  say(refusal.includes("torn.csv, line 3"), `a malformed file is refused by name and line: ${refusal}`);
  say((await text(page, "#run-title")) === "torn.csv", "under its own name");
  const empty = ["#progress", "#figures", "#inside", "#history"];
  const seen = await Promise.all(empty.map((selector) => page.isVisible(selector)));
  say(!seen.includes(true), "with no empty bar and no zeros");
  say((await text(page, "#again")) === "Choose another file", "and a way to choose another");
  await shots("malformed-file");
  const aligned = await page.evaluate(() => {
    const left = (selector) => document.querySelector(selector)?.getBoundingClientRect().left ?? 0;
    return Math.abs(left(".brand") - left("#run"));
  });
  say(aligned < 1, "the header stands in line with the cards");

  await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase("import_airports");
        request.onsuccess = resolve;
        request.onerror = reject;
      }),
  );
  await page.reload();
  await page.waitForSelector("#intake-problem:not([hidden])");
  const lost = await text(page, "#intake-problem");
  say(lost.includes("is gone"), `a database that is gone is told: ${lost}`);
  await shots("database-gone");
}
