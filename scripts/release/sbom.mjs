// What the release is made of, in CycloneDX, by npm itself.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST, releaseTime, run } from './project.mjs';

/** Writes `sbom.cdx.json`: the packages that an installation has, by the lock file. */
export function makeSbom(out) {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--omit', 'dev'];
  const bom = JSON.parse(run('npm', [...args, '--package-lock-only']));
  // npm takes the name from the folder, the time from the clock and the number by chance.
  bom.metadata.component.name = MANIFEST.name;
  bom.metadata.timestamp = new Date(releaseTime() * 1000).toISOString();
  bom.serialNumber = `urn:uuid:${uuidOf(JSON.stringify(bom.components))}`;
  writeFileSync(join(out, 'sbom.cdx.json'), `${JSON.stringify(bom, null, 2)}\n`);
}

/** A name-based UUID (RFC 9562, version 8). */
function uuidOf(text) {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x80;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
