import type { Call, Connection } from './connection';

/** The bytes of an answer, as they come. Whoever stops reading ends it for the server, too. */
export async function* bodyBytes(
  connection: Connection,
  address: string,
  call: Call,
): AsyncGenerator<Uint8Array> {
  const { body } = await connection.open(address, call);
  if (!body) return;
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const next = await reader.read().catch((error: unknown) => {
        throw connection.failure(error, call.signal);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Where the reader was not taken to the end, the rest must not be sent.
    await reader.cancel().catch(() => undefined);
  }
}

/** An answer of one JSON value a line. */
export async function* jsonLines<T>(connection: Connection, address: string, call: Call): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = '';
  const headers = { ...call.headers, accept: 'application/x-ndjson' };
  for await (const bytes of bodyBytes(connection, address, { ...call, headers })) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line !== '') yield JSON.parse(line) as T;
  }
}
