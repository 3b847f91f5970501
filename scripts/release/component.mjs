// The CI/CD component with the address and the checksum of this release's file as defaults: who includes it names neither.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST, ROOT } from './project.mjs';

/** The file that the component runs: the smallest, and one for every architecture. */
const PROGRAM = 'drayage.mjs';

/** Writes `template.yml`. The program must be there. */
export function makeComponent(out) {
  const sha256 = createHash('sha256')
    .update(readFileSync(join(out, PROGRAM)))
    .digest('hex');
  const url = `${MANIFEST.config.releases}/v${MANIFEST.version}/${PROGRAM}`;
  const template = readFileSync(`${ROOT}templates/image/template.yml`, 'utf8');
  const text = Object.entries({ url, sha256 }).reduce(withDefault, template);
  writeFileSync(join(out, 'template.yml'), text);
}

/** Gives a required input a default, below its `regex`. */
function withDefault(template, [name, value]) {
  const input = new RegExp(`^    ${name}:\\n(?:      .*\\n)*?      regex: .*\\n`, 'm');
  if (!input.test(template)) throw new Error(`the component has no input ${name} with a regex`);
  return template.replace(input, (found) => `${found}      default: ${value}\n`);
}
