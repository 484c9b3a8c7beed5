import { serveWriter } from '../../sqlite/serve-writer';
import { EventWriter } from './event-writer';

serveWriter((folder) => EventWriter.open(folder));
