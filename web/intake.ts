/** Choosing a file: by hand, by dropping it, or the sample. */

import { say } from "./dom.js";
import { textOf } from "./file_text.js";
import { page } from "./parts.js";

const FILE_BYTES_MAX = 10_000_000;

/** `take` is called with every file that is chosen; what it rejects with, and what is wrong with a file, is told. */
export function listen(take: (name: string, text: string) => Promise<void>, complain: (error: unknown) => void): void {
  const takeFile = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    say(page.intakeProblem, "");
    if (file.size > FILE_BYTES_MAX) {
      say(page.intakeProblem, `${file.name} has ${Math.round(file.size / 1e6)} MB; this demo takes up to 10 MB.`);
      return;
    }
    const read = textOf(new Uint8Array(await file.arrayBuffer()));
    if ("text" in read) {
      await take(file.name, read.text);
      return;
    }
    say(
      page.intakeProblem,
      `${file.name}, line ${read.line}: this is not ${read.encoding} text. The file seems to have another encoding, such as ` +
        "Windows-1252. Nothing was imported: save it as UTF-8 (in Excel: “CSV UTF-8”) and choose it again.",
    );
  };
  page.file.addEventListener("change", () => {
    takeFile(page.file.files?.[0]).catch(complain);
    page.file.value = "";
  });
  page.sample.addEventListener("click", () => takeSample(take).catch(complain));
  for (const kind of ["dragover", "dragleave", "drop"] as const) {
    page.drop.addEventListener(kind, (event) => {
      event.preventDefault();
      page.drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop") takeFile(event.dataTransfer?.files[0]).catch(complain);
    });
  }
  // A file dropped beside the place for it does not replace the page.
  for (const kind of ["dragover", "drop"] as const) addEventListener(kind, (event) => event.preventDefault());
}

async function takeSample(take: (name: string, text: string) => Promise<void>): Promise<void> {
  say(page.intakeProblem, "");
  const response = await fetch("/sample.csv");
  if (!response.ok) throw new Error("The sample file is not there; run `make setup`, or choose a file of your own.");
  await take("airports.csv", await response.text());
}
