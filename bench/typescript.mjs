// Lets node run this project's TypeScript where it lies: `node --import ./bench/typescript.mjs FILE.ts`. Types are only
// taken away; `npm run check` is what reads them.
import { register } from 'node:module';

if (!process.features.typescript) register('./typescript-hooks.mjs', import.meta.url);
