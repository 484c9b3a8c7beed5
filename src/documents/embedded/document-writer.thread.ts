import { serveWriter } from '../../sqlite/serve-writer';
import { DocumentWriter } from './document-writer';

serveWriter((folder) => new DocumentWriter(folder));
