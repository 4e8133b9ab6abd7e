/** How an import ended: what the server's database holds of it, or why it failed. */

import { type Run, RunFailed } from "weft-browser";

/** `good` is a statement and what else is worth knowing; `bad` says what is wrong and what to do. */
export type Verdict = { readonly good: readonly [statement: string, more: string] } | { readonly bad: string };

interface Summary {
  readonly top?: { readonly column: string; readonly values: Readonly<Record<string, number>> };
}

interface Report {
  readonly rows: number;
  readonly exactly_once: boolean;
  readonly repeated_deliveries: number;
}

const count = (value: number) => value.toLocaleString("en");

/** Compare the `written` rows of a run that has ended with what the server has. */
export async function judge(run: Run, written: number): Promise<Verdict> {
  let summary: Summary;
  try {
    summary = (await run.result()) as Summary;
  } catch (error) {
    if (error instanceof RunFailed) return { bad: whyFailed(error) };
    throw error;
  }
  const unknown = "The import is published, but the server does not say what it holds; reload this page to ask again";
  let report: Report;
  try {
    const response = await fetch("/api/database/report", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ run_id: run.id }),
    });
    if (!response.ok) return { bad: `${unknown} (it answered ${response.status}).` };
    report = (await response.json()) as Report;
  } catch {
    return { bad: `${unknown} (it cannot be reached).` };
  }
  return compare(report, written, summary);
}

function compare(report: Report, written: number, { top }: Summary): Verdict {
  if (!report.exactly_once || report.rows !== written) {
    return { bad: `The database holds ${count(report.rows)} rows where ${count(written)} were written.` };
  }
  const repeats = report.repeated_deliveries;
  const resent =
    repeats === 0 ? "" : ` (${repeats} repeated ${repeats === 1 ? "delivery was" : "deliveries were"} recognised)`;
  const most = Object.entries(top?.values ?? {}).map(([name, n]) => `${name} ${count(n)}`);
  const nothing =
    "Nothing had to be written: the file has no valid row that the server’s database does not hold already.";
  if (report.rows === 0) return { good: [nothing, ""] };
  return {
    good: [
      `${count(report.rows)} rows are in the server’s database, each written exactly once${resent}.`,
      most.length === 0 ? "" : `Most by ${top?.column}: ${most.join(", ")}.`,
    ],
  };
}

/** `BadFile` says itself what to do; any other error is one of the program, or of the server. */
function whyFailed({ type, detail, message }: RunFailed): string {
  if (type === "BadFile") return `${detail}.`;
  return `${type ? `${type}: ${detail}` : message}. What was written stays written; import the file again to go on.`;
}
