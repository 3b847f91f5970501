import type { Credential, Credentials } from '../../src/registry/credentials.ts';
import type { RegistryOptions } from '../../src/registry/api.ts';
import { Registry } from '../../src/registry/registry.ts';
import { onTestFinished } from 'vitest';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { PASSWORD, USER } from '../support/fake-registry-tokens.ts';

/** The credential that fakes accept. */
export const PLANTED: Credential = { username: USER, password: PASSWORD };

/** Finds this credential, whatever the registry. */
export function always(credential: Credential): Credentials {
  return async () => credential;
}

/** A client of a fake, with its credential, that waits for nothing; closed when the test ends. */
export function registryOf(
  fake: FakeRegistry,
  options: RegistryOptions = {},
): Registry & { pauses: number[]; warnings: string[] } {
  const pauses: number[] = [];
  const warnings: string[] = [];
  const registry = new Registry(fake.host, {
    credentials: always(PLANTED),
    retry: { delay: async (milliseconds) => void pauses.push(milliseconds) },
    onWarning: (message) => warnings.push(message),
    ...options,
  });
  onTestFinished(() => registry[Symbol.asyncDispose]());
  return Object.assign(registry, { pauses, warnings });
}
