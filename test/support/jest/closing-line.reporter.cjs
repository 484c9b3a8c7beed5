const { readFileSync, writeSync } = require('node:fs');
const { join } = require('node:path');

const allowedSkipsFile = join(__dirname, '..', '..', 'allowed-skips.json');

/** Which of the lists in it counts: the stores that the servers under test use (see test/support/world.ts). */
function allowedInThisWorld() {
  const { REVEILLE_TEST_EVENT_LOG: eventLog, REVEILLE_TEST_DOCUMENTS: documents } = process.env;
  const lists = JSON.parse(readFileSync(allowedSkipsFile, 'utf8'));
  return lists[`${eventLog ?? 'embedded'}+${documents ?? 'embedded'}`];
}

/** Names what was skipped, refuses skips that nobody allowed, and closes with one line of counts on stdout. */
module.exports = class ClosingLineReporter {
  constructor({ testNamePattern }, { allowedSkips } = {}) {
    // Whoever picks tests by name skips the others on purpose.
    this.skipsAreWanted = Boolean(testNamePattern);
    this.allowedSkips = allowedSkips ?? allowedInThisWorld();
    this.refused = [];
    this.closingLine = '';
  }

  onRunStart() {
    // At exit, to come after jest's own summary and after whatever the global teardown has to say; and past
    // `process.stdout`, which jest closes when a teardown fails.
    process.once('exit', () => writeSync(1, this.closingLine));
  }

  onRunComplete(_contexts, results) {
    const skipped = namesOfSkipped(results);
    // A file that could not be loaded has no tests to count.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    this.closingLine = `${results.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped\n`;
    if (this.skipsAreWanted) return;
    for (const name of skipped) process.stderr.write(`skipped: ${name}\n`);
    this.refused = skipped.filter((name) => !this.isAllowed(name));
    if (this.refused.length > 0) process.stderr.write(`${this.getLastError().message}\n`);
  }

  /** jest asks for it after the run, and fails where there is one. */
  getLastError() {
    if (this.refused.length === 0) return undefined;
    return new Error(`skipped, but not in test/allowed-skips.json:\n  ${this.refused.join('\n  ')}`);
  }

  /** An entry is a test's full name, or the reason that `testWhen` and `describeWhen` put into it. */
  isAllowed(name) {
    return this.allowedSkips.some((entry) => name === entry || name.includes(`[skipped: ${entry}]`));
  }
};

function namesOfSkipped({ testResults }) {
  return testResults
    .flatMap(({ testResults: tests }) => tests)
    .filter(({ status }) => ['pending', 'todo', 'disabled'].includes(status))
    .map(({ fullName }) => fullName);
}
