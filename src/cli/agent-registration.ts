import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { AgentPatch, AgentRequest } from '../client';
import { jsonObject, readInput } from './client-command';
import { CliError, ExitCode } from './failures';

/** What an agent is made of, as options say it. */
export interface ConfigurationOptions {
  configFile?: string;
  name?: string;
  adapter?: string;
  command?: string;
  arg?: string[];
  cwd?: string;
  env?: Record<string, unknown>;
  secretEnv?: Record<string, unknown>;
  stdin?: string;
  policy?: Record<string, unknown>;
  permissions?: Record<string, unknown>;
}

export interface RegistrationOptions extends ConfigurationOptions {
  externalKey?: string;
  requiresApproval?: boolean;
}

export function addConfigurationOptions(command: Command): Command {
  return command
    .option('--config-file <file>', 'JSON with any of it, as the API takes it; other options come on top')
    .option('--adapter <type>', 'how it is executed')
    .option('--command <command>', 'the program that is the agent')
    .option('--arg <argument>', 'an argument of the program; may be repeated', collectArgument)
    .option('--cwd <folder>', "where it works (default: a folder of the run's own)")
    .option('--env <name=value>', 'a variable of its environment; may be repeated', collectVariable)
    .option('--secret-env <name=secret>', 'the same, with the value of a secret', collectSecret)
    .option(
      '--stdin <text>',
      'what it reads from its standard input; {{context.x}} is filled in, as in --arg',
    )
    .option(
      '--policy <json>',
      'when it may be woken, e.g. {"maxConcurrentRuns": 2, "timeoutSec": 60}',
      jsonObject,
    )
    .option('--permissions <json>', 'what it may do by itself, e.g. {"wake": "company"}', jsonObject);
}

/** What the file says, and over it what the options say; the rest is the server's to check. @throws CliError */
export function registrationOf(options: RegistrationOptions): AgentRequest {
  const { configFile, externalKey, requiresApproval } = options;
  const given = configurationOf(options);
  if (given['name'] === undefined) throw new CliError('the name is missing', ExitCode.usage);
  if (configFile === undefined && options.command === undefined && options.adapter === undefined) {
    throw new CliError('--command <command> is missing (or --config-file)', ExitCode.usage);
  }
  return {
    adapterType: 'process',
    adapterConfig: {},
    ...given,
    ...definedOf({ externalKey, requiresApproval }),
  } as AgentRequest;
}

/** Only what is said. @throws CliError */
export function patchOf(options: ConfigurationOptions): AgentPatch {
  const patch = configurationOf(options);
  if (Object.keys(patch).length === 0) throw new CliError('nothing to change is given', ExitCode.usage);
  return patch;
}

function configurationOf(options: ConfigurationOptions): Record<string, unknown> {
  const { configFile, name, adapter, command, arg, cwd, env, secretEnv, stdin, policy, permissions } =
    options;
  const file = configFile === undefined ? {} : readConfiguration(configFile);
  const variables = env || secretEnv ? { ...env, ...secretEnv } : undefined;
  // The server has another working folder than whoever types a path.
  const folder = cwd === undefined ? undefined : resolve(cwd);
  const invocation = definedOf({ command, args: arg, cwd: folder, env: variables, stdin });
  const runtime = definedOf({ heartbeat: policy, permissions });
  const hasInvocation = Object.keys(invocation).length > 0;
  return {
    ...file,
    ...definedOf({ name, adapterType: adapter }),
    ...(hasInvocation && { adapterConfig: { ...(file['adapterConfig'] as object), ...invocation } }),
    ...(Object.keys(runtime).length > 0 && {
      runtimeConfig: { ...(file['runtimeConfig'] as object), ...runtime },
    }),
  };
}

function readConfiguration(file: string): Record<string, unknown> {
  const text = readInput(file);
  try {
    return jsonObject(text);
  } catch (error) {
    throw new CliError(`--config-file: ${file}: ${(error as Error).message}`, ExitCode.usage);
  }
}

function definedOf(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function collectArgument(argument: string, before: string[] = []): string[] {
  return [...before, argument];
}

function collectVariable(assignment: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const [name, value] = assigned(assignment);
  return { ...before, [name]: value };
}

function collectSecret(assignment: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const [name, secret] = assigned(assignment);
  return { ...before, [name]: { secret } };
}

function assigned(assignment: string): [string, string] {
  const equals = assignment.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be of the form NAME=VALUE.');
  return [assignment.slice(0, equals), assignment.slice(equals + 1)];
}
