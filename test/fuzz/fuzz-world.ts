import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestServer } from '../support/server';
import { expectStatus, openCompany, shell } from '../e2e/http/client';
import { clientOf } from '../support/access';
import type { Dice } from '../support/dice';
import { HttpAgent } from '../support/http-agent';
import { temporaryFolder } from '../support/temporary-folder';
import { babble, babblingAnswer } from './babble';
import type { Known } from './known';
import type { Recipes, Sender } from './request-maker';

/** How many files of nonsense the agents may pick from. */
const BABBLES = 12;

/** Two companies with agents that behave in many ways, and who may ask for what. */
export interface FuzzWorld {
  senders: readonly Sender[];
  recipes: Recipes;
  close(): Promise<void>;
}

export async function openWorld(server: TestServer, known: Known, dice: Dice): Promise<FuzzWorld> {
  const agent = await HttpAgent.start();
  const urls = Array.from({ length: BABBLES }, (_, index) =>
    agent.on(`/${index}`, babblingAnswer(dice.fork())),
  );
  const agents = agentsOf(nonsenseFiles(dice), urls);
  const senders: Sender[] = [{ token: server.token, role: null }];
  for (const name of ['Fuzzed', 'Other']) {
    const company = await openCompany(server, name);
    known.add('companyId', company.id);
    await server.api('PUT', `/v1/companies/${company.id}/secrets/api-key`, { value: 'a secret value' });
    for (const body of agents) {
      const { id } = expectStatus(
        await server.api<{ id: string }>('POST', `/v1/companies/${company.id}/agents`, body),
        201,
      );
      known.add('agentId', id);
      await server.api('POST', `/v1/agents/${id}/wakeups`, { reason: 'a beginning' });
    }
    for (const role of ['admin', 'operator', 'viewer', 'agent'] as const) {
      const more = role === 'agent' ? { agentId: known.all('agentId').at(-1)! } : {};
      const { id, token } = await clientOf(server, company.id, role, more);
      known.keep(id);
      senders.push({ token, role });
    }
  }
  known.add('name', 'api-key');
  return {
    senders,
    recipes: { bodies: { registerAgent: agents, patchAgent: patches }, favourites },
    close: () => agent.close(),
  };
}

/** More is begun than ended. */
const favourites = {
  wakeAgent: 8,
  invokeAgent: 3,
  registerAgent: 3,
  approveAgent: 2,
  resumeAgent: 2,
  resumeCompany: 3,
  createToken: 2,
};

const patches = [
  { name: 'Bea' },
  { runtimeConfig: { heartbeat: { whenBusy: 'enqueue', maxConcurrentRuns: 3 } } },
  { runtimeConfig: { heartbeat: { whenBusy: 'interrupt', graceSec: 1 } } },
  { runtimeConfig: { heartbeat: null } },
];

function agentsOf(files: readonly string[], urls: readonly string[]): object[] {
  const quick = { heartbeat: { graceSec: 1 } };
  const process = (name: string, script: string, ...args: string[]) => ({
    name,
    adapterType: 'process',
    adapterConfig: shell(script, ...args),
    runtimeConfig: quick,
  });
  return [
    process('quick', 'echo done'),
    process('failing', 'echo no >&2; exit 3'),
    process('lasting', 'echo begun; sleep 20'),
    {
      ...process('several', 'echo begun; sleep 10'),
      runtimeConfig: { heartbeat: { maxConcurrentRuns: 3, graceSec: 1 } },
    },
    {
      ...process('retrying', 'exit 1'),
      runtimeConfig: { heartbeat: { retry: { maxAttempts: 2, backoffSec: 0 } } },
    },
    {
      ...process('with a secret', 'echo "$KEY"'),
      adapterConfig: { ...shell('echo "$KEY"'), env: { KEY: { secret: 'api-key' } } },
    },
    ...files.map((file, index) =>
      index % 2 === 0
        ? process(
            'babbling',
            'cat "$1"; cat "$1" >>"$REVEILLE_EVENTS_FILE"; cat "$1" >"$REVEILLE_RESULT_FILE"',
            file,
          )
        : process(
            'reporting',
            'cat "$1" >>"$REVEILLE_EVENTS_FILE"; sleep 0.1; echo "{\\"costUsd\\": 0.01}" >"$REVEILLE_RESULT_FILE"',
            file,
          ),
    ),
    ...urls.map((url) => ({
      name: 'far away',
      adapterType: 'http',
      adapterConfig: { url },
      runtimeConfig: quick,
    })),
    ...['claude_local', 'codex_local', 'gemini_local', 'opencode_local'].map((adapterType, index) => ({
      name: adapterType,
      adapterType,
      adapterConfig: { command: programThatSays(files[index]!), promptTemplate: 'Go on' },
      runtimeConfig: quick,
    })),
  ];
}

/** Whatever it is told. */
function programThatSays(file: string): string {
  const program = join(temporaryFolder(), 'program');
  writeFileSync(program, `#!/bin/sh\ncat '${file}'\n`, { mode: 0o755 });
  return program;
}

function nonsenseFiles(dice: Dice): string[] {
  const folder = temporaryFolder();
  return Array.from({ length: BABBLES }, (_, index) => {
    const file = join(folder, `${index}`);
    writeFileSync(file, babble(dice));
    return file;
  });
}
