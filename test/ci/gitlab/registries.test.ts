import { expect, test } from 'vitest';
import { registryCredentials } from '../../../src/ci/gitlab/registries.ts';

const REGISTRY = { CI_REGISTRY: 'r.example:5050', CI_REGISTRY_USER: 'u', CI_REGISTRY_PASSWORD: 'p' };

test('a job has credentials for the registry and the dependency proxy of its GitLab', () => {
  const proxy = {
    CI_DEPENDENCY_PROXY_SERVER: 'gitlab.example:443',
    CI_DEPENDENCY_PROXY_USER: 'pu',
    CI_DEPENDENCY_PROXY_PASSWORD: 'pp',
  };
  expect([...registryCredentials({ ...REGISTRY, ...proxy })]).toEqual([
    ['r.example:5050', { username: 'u', password: 'p' }],
    ['gitlab.example:443', { username: 'pu', password: 'pp' }],
    ['gitlab.example', { username: 'pu', password: 'pp' }],
  ]);
});

test.each(Object.keys(REGISTRY))('without %s there are none', (name) => {
  expect(registryCredentials({ ...REGISTRY, [name]: '' }).size).toBe(0);
});
