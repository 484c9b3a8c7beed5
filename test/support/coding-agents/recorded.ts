import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(__dirname, '..', '..', 'fixtures', 'coding-agents');

/** What a real program has written, as `claude/tool`; paths of machines are replaced. */
export function recorded(name: string): string {
  return readFileSync(join(FOLDER, `${name}.jsonl`), 'utf8');
}

/** The names of all that is recorded of a program. */
export function recordings(program: string): string[] {
  return readdirSync(join(FOLDER, program)).map((file) => `${program}/${file.replace('.jsonl', '')}`);
}
