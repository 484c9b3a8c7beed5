const MAX_SHOWN = 500;

/** What to say of a program that left without saying what came of its work. */
export function leftWithoutResult(program: string, stderr: string): string {
  const said = lastLine(stderr);
  return said === null ? `${program} left without a result` : `${program} left without a result: ${said}`;
}

function lastLine(text: string): string | null {
  const line = text.trimEnd().split('\n').at(-1)?.trim();
  return line ? line.slice(-MAX_SHOWN) : null;
}
