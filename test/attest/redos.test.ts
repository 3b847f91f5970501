import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FakeSigstore } from '../support/fake-sigstore.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Loose } from './bundles.ts';
import { bytesOf, DIGEST, IDENTITY, ISSUER, keyless, statement } from './bundles.ts';

const LIBRARY = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
/** Verifies the bundle it is given in a process that can be killed: a pattern that runs wild cannot be stopped otherwise. */
const PROGRAM = `
import { readFileSync } from 'node:fs';
const [library, folder, digest, issuer, identity] = process.argv.slice(1);
const { loadTrust, verifyBundle } = await import(library);
const trust = await loadTrust({ trustedRoot: readFileSync(folder + '/root.json') });
try {
  verifyBundle(readFileSync(folder + '/bundle.json'), digest, trust, { signer: { issuer, identity: [identity] }, values: new Map() });
  console.log('accepted');
} catch (error) {
  console.log(error.facts.reason);
}`;

test('a checkpoint whose signer is a pattern that runs wild is refused at once', async () => {
  const fake = await FakeSigstore.forTest();
  const folder = await temporaryFolder();
  const bundle: Loose = JSON.parse((await keyless(fake)(statement())).toString());
  const { checkpoint } = bundle.verificationMaterial.tlogEntries[0].inclusionProof;
  // The hint of the key stays right: only then is the name looked at.
  checkpoint.envelope = checkpoint.envelope.replace(/\u2014 \S+/, '\u2014 (([^x]+)+)+y');
  await writeFile(join(folder, 'root.json'), fake.root());
  await writeFile(join(folder, 'bundle.json'), bytesOf(bundle));
  const args = ['--input-type=module', '-e', PROGRAM, LIBRARY, folder, DIGEST, ISSUER, IDENTITY];
  const child = spawn(process.execPath, args, { timeout: 5000, killSignal: 'SIGKILL' });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect({ code, signal, said: said.trim() }).toEqual({ code: 0, signal: null, said: 'CHECKPOINT' });
});
