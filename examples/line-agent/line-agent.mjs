/**
 * An adapter for any program that reads a prompt from its standard input and says in plain lines what it does:
 *
 *   session abc123        the session that it works in, for `--session abc123` next time
 *   tokens 1200 340       input and output of one call of its model
 *   failed out of ideas   the last word of one that gives up
 *
 * @param {import('reveille/adapter').AdapterTools} tools
 * @returns {import('reveille/adapter').LocalAdapter}
 */
export default ({ z }) => ({
  type: 'line_agent',
  kind: 'local',
  configSchema: z.strictObject({ command: z.string().min(1), model: z.string().optional() }),

  prepare: ({ command }, { sessionId, context }) => ({
    command,
    args: sessionId === null ? [] : ['--session', sessionId],
    cwd: null,
    workspace: 'agent',
    env: {},
    stdin: String(context.prompt ?? 'Do your work.'),
  }),

  reader({ model }) {
    const said = [];
    let sessionId;
    let errorMessage;
    return {
      line(text) {
        const [word, ...rest] = text.split(' ');
        if (word === 'session') {
          sessionId = rest[0];
          return [{ type: 'session', sessionId }];
        }
        if (word === 'tokens') {
          const [inputTokens, outputTokens] = rest.map(Number);
          return [{ type: 'usage', inputTokens, outputTokens, cachedInputTokens: 0, model }];
        }
        if (word === 'failed') errorMessage = rest.join(' ');
        else said.push(text);
        return [];
      },
      result: () => ({ model, sessionId, errorMessage, resultJson: { answer: said.join('\n') } }),
    };
  },
});
