// `npm start -- FLAGS` is `reveille serve FLAGS`.
import '../bin/reveille.mjs';
