import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { answerBrokenRequest } from './broken-request';
import { protectAnswers } from './http-server';

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

let server: Server;
let client: Socket;

beforeEach(async () => {
  server = createServer().on('clientError', answerBrokenRequest);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  client = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
});
afterEach(async () => {
  client.destroy();
  await once(server.close(), 'close');
});

test('whoever goes on to send what is no HTTP is given the time to read the refusal', async () => {
  const connected = once(server, 'connection') as Promise<[Socket]>;
  client.write('nonsense\r\n\r\n');
  const [socket] = await connected;
  await once(client, 'data');
  const refusedAgain = once(server, 'clientError');
  client.write('nonsense\r\n\r\n');
  await refusedAgain;
  expect(socket.destroyed).toBe(false);
});

test('answers that wait for their turn are over with the connection', async () => {
  const closed: number[] = [];
  const answers: ServerResponse[] = [];
  const begun = new Promise<void>((resolve) => {
    server.on('request', (_request, answer: ServerResponse) => {
      const number = answers.push(answer);
      answer.once('close', () => closed.push(number)).write('never at its end');
      if (number === 3) resolve();
    });
  });
  protectAnswers(server);
  client.write(REQUEST.repeat(3));
  await begun;
  client.destroy();
  await once(answers[2]!, 'close');
  expect([...closed].sort()).toEqual([1, 2, 3]);
});
