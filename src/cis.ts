import type { Ci } from './ci/ci.ts';
import { github } from './ci/github/github.ts';
import { gitlab } from './ci/gitlab/gitlab.ts';

/** The supported CIs. Another one is a folder beside `ci/gitlab`, and a row here. */
export const cis: readonly Ci[] = [gitlab, github];
