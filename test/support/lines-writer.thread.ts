import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { serveWriter } from '../../src/sqlite/serve-writer';
import { CLOSED_SIGN, DEADLY, LINES_FILE } from './lines-writer';

serveWriter<string, number, number>((folder) => {
  if (existsSync(join(folder, CLOSED_SIGN))) throw new Error('this folder is closed');
  const append = (lines: readonly string[]) =>
    appendFileSync(join(folder, LINES_FILE), lines.map((line) => `${line}\n`).join(''));
  let state = 0;
  return {
    get state() {
      return state;
    },
    write: (lines) => {
      append(lines);
      if (lines.includes(DEADLY)) throw new Error('a deadly line');
      state += lines.length;
      return lines.map(() => lines.length);
    },
    close: () => append(['closed']),
  };
});
