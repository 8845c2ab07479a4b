/**
 * How a client proves to the token endpoint who it is: headers and form parameters to add to a token request. Called for each
 * request, since an assertion (`private_key_jwt`, RFC 7523) is good for one use.
 */
export type ClientAuthentication = (
  tokenUrl: string,
) => Promise<{ headers?: Readonly<Record<string, string>>; parameters?: Readonly<Record<string, string>> }>;

/** `client_secret_basic`: id and secret are form-encoded before they become Basic credentials (RFC 6749 section 2.3.1). */
export function clientSecretBasic(clientId: string, clientSecret: string): ClientAuthentication {
  const credentials = Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64');
  return async () => ({ headers: { authorization: `Basic ${credentials}` } });
}

function formEncoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice('v='.length);
}
