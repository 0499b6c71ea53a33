// The last lines of a run: each failed test on one line, with where it failed and why, for logs that keep only their end.
const colours = /\u001b\[[0-9;]*m/g;

export default class Failures {
  #failed = [];

  onTestEnd(test, result) {
    if (result.status === test.expectedStatus || result.status === "skipped") return;
    const why = result.errors.map(({ message = "", location }) => {
      const lines = message.replace(colours, "").split("\n").map((line) => line.trim()).filter(Boolean);
      return `${location ? `line ${location.line}: ` : ""}${lines.slice(0, 6).join(" · ")}`;
    });
    const file = test.location.file.split("/").at(-1);
    this.#failed.push(`${file} “${test.title}”: ${why.join(" | ").slice(0, 900) || result.status}`);
  }

  onEnd() {
    for (const one of this.#failed) console.log(`not passed: ${one}`);
  }
}
