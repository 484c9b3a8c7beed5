import {
  MongoBulkWriteError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoNotConnectedError,
  MongoServerError,
} from 'mongodb';
import { isUnreachable } from './unreachable';

const inBulk = (error: Error) => new MongoBulkWriteError(error, {} as never);
const answer = (code: number) => new MongoServerError({ code, message: 'said by a server' });

test.each<[string, boolean, Error]>([
  ['a connection that breaks', true, new MongoNetworkError('reset')],
  ['one that breaks at a write', true, Object.assign(new Error('ended'), { code: 'EPIPE' })],
  ['no answer', true, new MongoNetworkTimeoutError('late')],
  ['no connection', true, new MongoNotConnectedError('none')],
  ['a connection that breaks in the middle of many writes', true, inBulk(new MongoNetworkError('reset'))],
  ['a primary that has stepped down', true, answer(189)],
  ['one that is none', true, answer(10_107)],
  ['one that shuts down', true, answer(91)],
  ['the same in the middle of many writes', true, inBulk(answer(11_600))],
  ['a majority that does not answer', true, answer(64)],
  ['a duplicate key', false, answer(11_000)],
  ['a wrong password', false, answer(18)],
  ['a mistake of ours', false, new TypeError('no')],
])('%s: %s', (_what, expected, error) => expect(isUnreachable(error)).toBe(expected));
