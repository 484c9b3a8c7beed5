import { AnswerReader, MAX_ANSWER_BYTES, WireFault } from './answer-reader';

const head = (...lines: string[]) => ['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n');
const chunked = head('Transfer-Encoding: chunked', 'Content-Type: application/x-ndjson');

function read(text: string, { by = text.length, isHead = false } = {}): [AnswerReader, string | null] {
  const reader = new AnswerReader(isHead);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += by) {
    const answer = reader.take(bytes.subarray(at, at + by));
    if (answer !== null) return [reader, answer.bytes.toString()];
  }
  return [reader, null];
}

describe('an answer is whole with its last byte, however it is cut on its way', () => {
  test.each([
    ['with a length', `${head('Content-Length: 5')}hello`, 'hello'],
    ['of no bytes', head('Content-Length: 0'), ''],
    ['in chunks', `${chunked}5\r\nhello\r\nA\r\n, Napoleon\r\n0\r\n\r\n`, 'hello, Napoleon'],
    ['in no chunk', `${chunked}0\r\n\r\n`, ''],
    ['after 100 Continue', `HTTP/1.1 100 Continue\r\n\r\n${head('Content-Length: 2')}ok`, 'ok'],
    ['that has none by its status', head().replace('200 OK', '204 No Content'), ''],
    ['of an event stream: its head', head('Content-Type: text/event-stream'), ''],
  ])('%s', (_what, text, body) => {
    for (const by of [1, 2, 3, 7, text.length]) {
      expect(read(text, { by })[1]).toBe(body);
      expect(read(text.slice(0, -1), { by })[1]).toBeNull();
    }
  });

  test('to HEAD there is no body, whatever its headers say', () => {
    expect(read(head('Content-Length: 5'), { isHead: true })[1]).toBe('');
  });

  test('without a length, when the connection is closed', () => {
    const [reader, answer] = read(`${head()}hello`, { by: 3 });
    expect(answer).toBeNull();
    expect(reader.end(false)?.bytes.toString()).toBe('hello');
  });
});

describe('what cannot be an answer is a fault, at once', () => {
  test.each([
    ['another answer in place of a chunk', `${chunked}5\r\nhello\r\nHTTP/1.1 400 Bad`, /no size of a chunk/],
    ['a chunk that is longer than it says', `${chunked}4\r\nhello\r\n`, /no end of a chunk/],
    ['no HTTP', 'SSH-2.0-x\r\n\r\n', /no HTTP/],
    ['a head without an end', 'x'.repeat(70_000), /a head of more than/],
  ])('%s', (_what, text, message) => {
    for (const by of [100, text.length]) expect(() => read(`${text}\r\n`, { by })).toThrow(message);
  });

  test('a body without an end', () => {
    const [reader] = read(chunked);
    const mebibyte = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(2 ** 20), Buffer.from('\r\n')]);
    const goOn = () => {
      for (let bytes = 0; bytes <= MAX_ANSWER_BYTES; bytes += 2 ** 20) reader.take(mebibyte);
    };
    expect(goOn).toThrow(/an answer of more than/);
  });

  test('an end in the middle, unless we have left first', () => {
    const [reader] = read(`${chunked}5\r\nhel`);
    expect(() => reader.end(false)).toThrow(WireFault);
    expect(reader.end(true)).toBeNull();
    expect(new AnswerReader(false).end(false)).toBeNull();
  });
});

test('what comes after the answer is kept apart', () => {
  expect(read(`${head('Content-Length: 2')}okHTTP/1.1 `)[0].surplus.toString()).toBe('HTTP/1.1 ');
  expect(read(`${head('Content-Type: text/event-stream')}:\n\n`)[0].surplus).toHaveLength(0);
});

test('a hundred thousand small chunks are read in one go each', () => {
  const reader = new AnswerReader(false);
  reader.take(Buffer.from(chunked));
  for (let chunk = 0; chunk < 100_000; chunk += 1) reader.take(Buffer.from('3\r\nabc\r\n'));
  expect(reader.take(Buffer.from('0\r\n\r\n'))?.bytes).toHaveLength(300_000);
});
