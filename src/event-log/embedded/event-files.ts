import { join } from 'node:path';
import { LOG_CATEGORY } from '../../kernel/streams';

/*
 * The log is two files under one sequence of positions: one for the streams of raw log bytes, which are large and age
 * out, and one for everything else.
 */

export const eventsFile = (folder: string) => join(folder, 'log.db');
export const chunksFile = (folder: string) => join(folder, 'runlog.db');

export const isChunkCategory = (category: string) => category === LOG_CATEGORY;
