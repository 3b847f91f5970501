/** The address of a server or a page of it: http or https, without blanks and without a user. Annotations repeat it. */
export const SERVER_ADDRESS: RegExp = /^https?:\/\/[^\s/@][^\s@]*$/;
