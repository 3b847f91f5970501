/** A text without what stands before the host in any address in it: `https://user:password@host` becomes `https://host`. */
export function withoutUserinfo(text: string): string {
  return text.replaceAll(/:\/\/[^\s/?#]*@/g, '://');
}
