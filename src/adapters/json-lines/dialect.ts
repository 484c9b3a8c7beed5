import { z } from 'zod';

/** Where a value is on a line: names, with dots between them, as `part.tokens.input`. */
const path = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^.]+(\.[^.]+)*$/, 'must be names with dots between them');

const usageMeaning = z.strictObject({
  /** Whether it is what one step has used, or all that the run has by now. */
  of: z.enum(['step', 'run']),
  /** Each is a sum. */
  input: z.array(path).max(10),
  output: z.array(path).max(10),
  cachedInput: z.array(path).max(10).optional(),
  /** Whether `input` has the tokens that were read from a cache in it. */
  inputIncludesCached: z.boolean().optional(),
  /** US dollars. 0 with tokens counts as not said. */
  cost: path.optional(),
});

const lineMeaning = z.strictObject({
  session: path.optional(),
  model: path.optional(),
  usage: usageMeaning.optional(),
  /** The text of the answer: a part of it where `isPart`, else all of it. Counts only where all of `where` is so. */
  answer: z
    .strictObject({
      text: path,
      isPart: z.boolean().optional(),
      where: z.record(path, z.string()).optional(),
    })
    .optional(),
  /** What was said before it was not the answer yet, as where a tool is used. */
  clearsAnswer: z.boolean().optional(),
  /** The message of an error; where there is one, the run has failed. */
  error: path.optional(),
  /** The program's last word. Where a dialect has such a line, a program that left without it has failed. */
  isEnd: z.boolean().optional(),
});

/**
 * How a program that writes a JSON object a line is understood: what its lines mean, by their `type`; `*` stands for
 * all of them. What isn't there, or isn't what it should be, says nothing.
 */
export const dialectSchema = z.strictObject({
  provider: z.string().max(200).optional(),
  lines: z.record(z.string(), lineMeaning),
  /** What it says on stderr where the session that it was to go on with is not there any more. */
  missingSession: z.array(z.string().min(1)).max(10).optional(),
});

export type Dialect = z.infer<typeof dialectSchema>;
export type LineMeaning = z.infer<typeof lineMeaning>;
export type UsageMeaning = z.infer<typeof usageMeaning>;
