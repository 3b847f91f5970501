// What a program writes that imports the library: the save of an archive, as the command line does it.
//
//   node library-save.mjs CODEC ARCHIVE LAYOUT
import { keepHeapSmall, Layout, save } from '../../dist/index.js';

const [compress, archive, path] = process.argv.slice(2);
keepHeapSmall({ savesStreams: false });
const to = await Layout.create(path);
await save({ from: { archive }, to, compress });
await to[Symbol.asyncDispose]();
