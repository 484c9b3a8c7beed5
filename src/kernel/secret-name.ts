/** What a company may call a secret: up to 100 letters, digits and `_.-`, beginning with a letter or `_`. */
export const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/;
