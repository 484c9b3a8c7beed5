import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { endTogether, EventStream } from './event-stream';
import { CLOSE_MS } from './live-sink';

let stream: EventStream;
let answer: ServerResponse & { destroy: jest.Mock };
let ended: AbortController;

beforeEach(() => {
  jest.useFakeTimers();
  stream = new EventStream();
  const destroy = jest.fn(() => void answer.emit('close'));
  answer = Object.assign(new EventEmitter(), { destroy }) as unknown as typeof answer;
  ended = new AbortController();
  endTogether(stream, answer, ended.signal);
});
afterEach(() => jest.useRealTimers());

test('a stream is over with its answer', () => {
  answer.emit('close');
  expect(stream.destroyed).toBe(true);
});

test('an answer that nobody takes is not kept for ever', () => {
  ended.abort();
  jest.advanceTimersByTime(CLOSE_MS - 1);
  expect(answer.destroy).not.toHaveBeenCalled();
  jest.advanceTimersByTime(1);
  expect(answer.destroy).toHaveBeenCalledTimes(1);
  expect(stream.destroyed).toBe(true);
});

test.each(['before its stream', 'behind its stream'])('an answer that ends %s is left alone', (when) => {
  if (when === 'behind its stream') ended.abort();
  answer.emit('close');
  ended.abort();
  jest.advanceTimersByTime(CLOSE_MS);
  expect(answer.destroy).not.toHaveBeenCalled();
});
