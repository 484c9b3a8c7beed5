/** One server-sent event, as far as Reveille uses them. */
export interface ServerSentEvent {
  id: string | null;
  event: string;
  data: string;
}

/** Reads server-sent events from the bytes of a response. @param onBytes is called with each piece, comments included */
export async function* serverSentEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<ServerSentEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      // A piece may end in the middle of a character, of a line, of an event.
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split(/\r\n\r\n|\n\n/);
      rest = blocks.pop()!;
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    // Where the reader was not taken to the end, the rest must not be sent.
    await reader.cancel().catch(() => undefined);
  }
}

/** Null for what is only a comment, or a hint when to connect again. */
function parse(block: string): ServerSentEvent | null {
  const fields: { id: string | null; event: string; data: string[] } = {
    id: null,
    event: 'message',
    data: [],
  };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value = ''] = /^([^:]+)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === 'id') fields.id = value;
    if (name === 'event') fields.event = value;
    if (name === 'data') fields.data.push(value);
  }
  return fields.data.length === 0 ? null : { ...fields, data: fields.data.join('\n') };
}
