import { printable } from '../cli/text';
import type { OutputStream, ReveilleClient } from '../client';

/** What a run writes to one of its streams, line by line, as it comes. */
export async function* outputLines(
  api: ReveilleClient,
  runId: string,
  stream: OutputStream,
  stop: AbortSignal,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of api.followLog(runId, { stream, offset: 0 }, { signal: stop })) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop()!;
    yield* lines.map(printable);
  }
  if (rest !== '') yield printable(rest);
}
