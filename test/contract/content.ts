import { describe, test } from 'vitest';
import {
  contentSinkContract as sinkCases,
  contentSourceContract as sourceCases,
} from '../../src/testing/content-contract.ts';
import type { ContractCase } from '../../src/testing/contract.ts';

/** Runs what every content source promises. */
export function contentSourceContract(name: string, ...makeWith: Parameters<typeof sourceCases>): void {
  runContract(`${name} is a content source`, sourceCases(...makeWith));
}

/** Runs what every content sink promises. */
export function contentSinkContract(name: string, ...makeWith: Parameters<typeof sinkCases>): void {
  runContract(`${name} is a content sink`, sinkCases(...makeWith));
}

/** Runs a contract as tests. */
export function runContract(name: string, cases: readonly ContractCase[]): void {
  describe(name, () => {
    for (const { name: promise, run } of cases) test(promise, run);
  });
}
