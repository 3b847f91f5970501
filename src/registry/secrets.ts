/** The shortest text that is taken for a secret: hiding shorter ones would make texts unreadable. */
const MIN_LENGTH = 4;

/** What must never be shown. What a registry says may repeat what it was told. */
export class Secrets {
  readonly #known = new Set<string>();

  add(...secrets: string[]): void {
    for (const secret of secrets) if (secret.length >= MIN_LENGTH) this.#known.add(secret);
  }

  /** The text with `***` in the place of each secret. */
  conceal(text: string): string {
    let shown = text;
    // The longer first: one secret may hold another.
    for (const secret of [...this.#known].toSorted((a, b) => b.length - a.length)) {
      shown = shown.replaceAll(secret, '***');
    }
    return shown;
  }
}
