// Makes `release/`: everything that a person publishes, and SHA256SUMS over it. The same commit gives the same bytes.
//
//   npm run release                        everything
//   npm run release -- --no-executables    without the programs that hold a Node of their own (no download)
//   npm run release -- --out DIR           into another folder, which is empty or holds a release
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pipeline } from 'node:stream/promises';
import { makeBundle } from './bundle.mjs';
import { makeComponent } from './component.mjs';
import { makeExecutables } from './executables.mjs';
import { makePackage } from './package.mjs';
import { ROOT } from './project.mjs';
import { makeSbom } from './sbom.mjs';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(ROOT, 'release') },
    executables: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

const out = resolve(values.out);
const there = existsSync(out) ? readdirSync(out) : [];
// Only an earlier release is replaced.
if (there.length > 0 && !there.includes('SHA256SUMS') && out !== join(ROOT, 'release'))
  throw new Error(`${out} is not empty and holds no release`);
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await makeBundle(out);
makeComponent(out);
makePackage(out);
makeSbom(out);
if (values.executables) await makeExecutables(out);
writeFileSync(join(out, 'SHA256SUMS'), await sums(out));
console.log(`the release is in ${out}`);

/** As `sha256sum *` prints it. */
async function sums(folder) {
  const lines = [];
  for (const name of readdirSync(folder).toSorted()) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(folder, name)), hash);
    lines.push(`${hash.digest('hex')}  ${name}\n`);
  }
  process.stdout.write(lines.join(''));
  return lines.join('');
}
