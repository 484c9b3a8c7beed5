import type { ApiClient, OutputStream } from '../cli/api-client';
import { followLog } from '../cli/follow';
import { printable } from '../cli/text';

/** What a run writes to one of its streams, line by line, as it comes. */
export async function* outputLines(
  api: ApiClient,
  runId: string,
  stream: OutputStream,
  stop: AbortSignal,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of followLog(api, runId, { stream, offset: 0 }, stop)) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop()!;
    yield* lines.map(printable);
  }
  if (rest !== '') yield printable(rest);
}
