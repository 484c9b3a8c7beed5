import type { Command } from 'commander';
import type { Finding, VerificationResult, VerificationStep } from '../client';
import type { CompanyOptions } from './client-command';
import { clientCommand, clientFor, companyOf, companyOption, readInput } from './client-command';
import { CliError, ExitCode } from './failures';
import { ExportSource, ExportUnreadable } from '../audit/verification/export-source';
import { keyIdOf } from '../audit/verification/signature';
import { Verification } from '../audit/verification/verification';
import { exportCompany } from './audit-export';
import { addHistoryCommands } from './audit-history';
import { printJson, printLines, say } from './output';
import { ProgressBar, shareOf } from './progress-bar';
import { stopSignals } from './stop-signal';
import { byteCount, printable } from './text';

interface VerifyOptions extends CompanyOptions {
  stream?: string;
  after?: string;
  file?: string;
  key?: string;
}

const verifyHelp = `
Looks at every event on the log: whether its hash is right behind the one before it, and whether the ends of all streams
are what the signed checkpoints say; with --file the same of an export, without asking any server. Ctrl-C stops it and says how to go on. The exit code is 0 where everything is what
was written, and 1 where something is not: each of these is named.`;

export function addAuditCommands(program: Command): void {
  const audit = program
    .command('audit')
    .description('prove that the log is what was written; ask how and why');
  clientCommand(audit, 'verify', 'whether the log is what was written')
    .option('--stream <name>', 'only this stream')
    .option('--company <id>', 'only the streams of this company')
    .option('--after <position>', 'go on where an earlier one was stopped')
    .option('--file <export>', 'an export instead of the log of a server')
    .option(
      '--key <pem>',
      'the public key that its checkpoints have to be signed with; default: what it says itself',
    )
    .addHelpText('after', verifyHelp)
    .action(verify);
  clientCommand(audit, 'export', 'everything that the log holds of a company, for others to verify')
    .addOption(companyOption())
    .requiredOption('--out <file>', 'where it goes; one that was broken off is gone on with')
    .action((options: CompanyOptions & { out: string }) =>
      exportCompany(clientFor(options), companyOf(options), options.out),
    );
  addHistoryCommands(audit);
  clientCommand(audit, 'key', 'the public key that checkpoints are signed with').action(
    async (options: CompanyOptions) => {
      const key = await clientFor(options).auditKey();
      if (options.json) printJson(key);
      else process.stdout.write(key.publicKey);
    },
  );
  clientCommand(
    audit,
    'checkpoint',
    'cover everything that is on the log by a signed checkpoint, now',
  ).action(async (options: CompanyOptions) => {
    const { number, sha256 } = await clientFor(options).signCheckpoint();
    if (options.json) printJson({ number, sha256 });
    else printLines([`checkpoint ${number}: ${sha256}`]);
  });
}

async function verify(options: VerifyOptions): Promise<void> {
  const { stream, company: companyId, after, file } = options;
  const { stop } = stopSignals();
  if (file !== undefined) return verifyFile(file, stop, options);
  await tellVerification(clientFor(options).verifyLog({ stream, companyId, after }, stop), stop, options);
}

async function verifyFile(path: string, stop: AbortSignal, options: VerifyOptions): Promise<void> {
  const source = await ExportSource.open(path).catch(forUser);
  try {
    const keys = trustedKeys(source, options);
    const after = BigInt(options.after ?? '0');
    // What was to be there when it was exported is in it, however long ago that was.
    const now = new Date(source.description.exportedAt);
    await tellVerification(new Verification(source, { after, keys, signal: stop, now }).run(), stop, options);
  } catch (error) {
    forUser(error);
  } finally {
    await source.close();
  }
}

/** By id. A key that comes with the export proves only that the export agrees with itself: that is said. */
function trustedKeys({ description }: ExportSource, { key, json }: VerifyOptions): Map<string, string> {
  const keys = key === undefined ? description.keys.map(({ publicKey }) => publicKey) : [readInput(key)];
  if (key === undefined && !json) {
    const ids = description.keys.map(({ keyId }) => keyId).join(', ');
    say(`note: with the key that the export names itself (${ids}); --key takes one that you got otherwise`);
  }
  try {
    return new Map(keys.map((publicKey) => [keyIdOf(publicKey), publicKey]));
  } catch {
    throw new CliError(`--key: ${key} holds no public key in PEM`, ExitCode.usage);
  }
}

function forUser(error: unknown): never {
  if (error instanceof ExportUnreadable) throw new CliError(error.message, ExitCode.failed);
  throw error;
}

async function tellVerification(
  steps: AsyncIterable<VerificationStep>,
  stop: AbortSignal,
  { json, after = '0' }: VerifyOptions,
): Promise<void> {
  const bar = new ProgressBar('verifying');
  const found: Finding[] = [];
  let position = after;
  try {
    for await (const step of steps) {
      if (step.kind === 'result') return tellResult(step.result, json, bar);
      if (step.kind === 'finding') found.push(step.finding);
      else {
        const { head, events, findings } = step.progress;
        position = step.progress.position;
        bar.show(shareOf(position, head), `${events} events, ${findings} findings`);
      }
    }
  } catch (error) {
    bar.clear();
    if (!stop.aborted) throw error;
  }
  if (!json) printLines(found.map(findingLine));
  throw new CliError(
    `stopped; \`reveille audit verify --after ${position}\` goes on behind position ${position}`,
    ExitCode.failed,
  );
}

function tellResult(result: VerificationResult, json: boolean | undefined, bar: ProgressBar): void {
  bar.clear();
  if (!result.ok) process.exitCode = ExitCode.failed;
  if (json) return printJson(result);
  const { events, checkpoints, uncovered, agedOut, findings, named } = result;
  const { count, last } = checkpoints;
  const covered = `${count} checkpoints, ${uncovered} events behind the last one`;
  printLines([
    ...named.map(findingLine),
    ...(findings > named.length ? [`and ${findings - named.length} more`] : []),
    `${findings === 0 ? 'verified' : `${findings} findings in`}: ${events} events, ${covered}`,
    ...(agedOut.logs > 0 ? [agedOutLine(agedOut)] : []),
    ...(last ? [`checkpoint ${last.number}: ${last.sha256}`] : []),
  ]);
}

function findingLine({ kind, message }: Finding): string {
  return printable(`${kind.padEnd(16)}  ${message}`);
}

function agedOutLine({ logs, events, bytes }: VerificationResult['agedOut']): string {
  const what = `the output of ${logs} ${logs === 1 ? 'run' : 'runs'} (${events} events, ${byteCount(bytes)})`;
  return `aged out: ${what}, which is not kept any longer; its hashes are`;
}
