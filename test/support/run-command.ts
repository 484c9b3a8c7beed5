import { execFile } from 'node:child_process';

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a Node script to its end. A failing script is an answer, not an error. */
export function runNode(args: readonly string[], options: { cwd: string }): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(new Error(error.message, { cause: error }));
      else resolve({ exitCode: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}
