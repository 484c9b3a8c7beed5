/**
 * Tests that need what not every machine has. The reason becomes part of the skipped test's name, the closing report
 * names it, and the run fails unless `test/allowed-skips.json` lists it.
 */

type DefineTest = (name: string, run: (() => void) | (() => Promise<void>), timeoutMs?: number) => void;
type DefineGroup = (name: string, define: () => void) => void;

export function testWhen(condition: boolean, reason: string): DefineTest {
  return (name, run, timeoutMs) => {
    if (condition) test(name, run, timeoutMs);
    else test.skip(skippedName(name, reason), run, timeoutMs);
  };
}

export function describeWhen(condition: boolean, reason: string): DefineGroup {
  return (name, define) => {
    if (condition) describe(name, define);
    else describe.skip(skippedName(name, reason), define);
  };
}

function skippedName(name: string, reason: string): string {
  return `${name} [skipped: ${reason}]`;
}
