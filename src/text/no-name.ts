/** What people see in place of the name of an image that has none. */
export const NO_NAME = '(no name)';
