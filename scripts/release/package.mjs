// The npm package, as `npm pack` makes it: package.json's prepack builds it.
import { run } from './project.mjs';

/** Writes `drayage-<version>.tgz`. */
export function makePackage(out) {
  run('npm', ['pack', '--silent', '--pack-destination', out]);
}
