// A server that answers every POST with a body of the size of an accepted wakeup's, and does nothing else.
const { fastify } = require('fastify');

const body = { wakeup: { id: 'x'.repeat(1_200) }, run: { id: 'x'.repeat(1_200) }, position: '1' };
const server = fastify();
server.post('/', (_request, reply) => reply.code(202).send(body));
server.listen({ port: 0, host: '127.0.0.1' }).then((url) => process.stdout.write(`${url}\n`));
process.on('SIGTERM', () => process.exit(0));
