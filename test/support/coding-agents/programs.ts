import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(__dirname, '..', '..', '..', 'node_modules', '.cache', 'reveille', 'agents');

export type CodingAgent = 'claude-code' | 'codex' | 'gemini-cli' | 'opencode';

const agents = JSON.parse(readFileSync(join(__dirname, 'agents.json'), 'utf8')) as Record<
  CodingAgent,
  { program: string }
>;

/** Where a coding agent's program is, if `install.mjs` has installed it. */
export function programOf(name: CodingAgent): string {
  return join(CACHE, name, 'node_modules', '.bin', agents[name].program);
}

export function isInstalled(name: CodingAgent): boolean {
  return existsSync(programOf(name));
}

/** Why a test of it is skipped where it is not installed; `test/allowed-skips.json` lists it. */
export const NOT_INSTALLED = 'the coding agent is not installed';
