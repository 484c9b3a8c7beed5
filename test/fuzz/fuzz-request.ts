/** A request down to its bytes: what a well-behaved client library would never send must be sendable, too. */
export interface FuzzRequest {
  /** Which one of the campaign, and the start of its `X-Request-Id`. */
  number: number;
  /** What it means to call; null where it is no route. */
  operationId: string | null;
  /** How it came about: `valid`, or what was done to a valid one. */
  kind: string;
  method: string;
  /** Path and query as they stand on the wire; each character is a byte. */
  target: string;
  headers: (readonly [name: string, value: string])[];
  body: Buffer | null;
  /** Its length, its encoding or its end is not what it says: nothing can follow on its connection. */
  isUnframed: boolean;
}

/** @param host of the server, with its port */
export function bytesOf({ method, target, headers, body, isUnframed }: FuzzRequest, host: string): Buffer {
  const has = (name: string) => headers.some(([given]) => given.toLowerCase() === name);
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(has('host') ? [] : [`Host: ${host}`]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === null || isUnframed || has('content-length') ? [] : [`Content-Length: ${body.length}`]),
  ];
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return body === null ? head : Buffer.concat([head, body]);
}

const MAX_SHOWN_BYTES = 4_000;

/** A line for a shell that sends it again. `$TOKEN` stands for the token that it came with. */
export function curlLine(request: FuzzRequest, url: string): string {
  const { method, target, headers, body, isUnframed } = request;
  if (isUnframed) {
    const { hostname, port, host } = new URL(url);
    return `printf %b ${shellWord(escaped(hideToken(bytesOf(request, host))))} | nc -N ${hostname} ${port}`;
  }
  const shown = headers.map(([name, value]) => `-H ${shellWord(`${name}: ${hideTokenText(value)}`)}`);
  const data = body === null ? [] : [`--data-binary @<(printf %b ${shellWord(escaped(body))})`];
  return [
    'curl -sS --path-as-is -g -X',
    shellWord(method),
    ...shown,
    ...data,
    shellWord(`${url}${target}`),
  ].join(' ');
}

function hideToken(bytes: Buffer): Buffer {
  return Buffer.from(hideTokenText(bytes.toString('latin1')), 'latin1');
}

function hideTokenText(text: string): string {
  return text.replace(/^(Authorization: )?Bearer \S{20,}/im, '$1Bearer $TOKEN');
}

/** For `printf %b`; what is too long to be shown is cut, and says so. */
function escaped(bytes: Buffer): string {
  const shown = bytes.subarray(0, MAX_SHOWN_BYTES);
  const text = [...shown]
    .map((byte) =>
      byte >= 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, '0')}`,
    )
    .join('');
  return bytes.length > shown.length ? `${text}… (${bytes.length} bytes)` : text;
}

function shellWord(text: string): string {
  const quoted = `'${text.replaceAll("'", `'\\''`)}'`;
  return quoted.replaceAll('$TOKEN', `'"$TOKEN"'`);
}
