import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fields } from '@taskwire/env';
import { expect } from 'chai';

const script = fileURLToPath(new URL('../container/15-cors-origins.envsh', import.meta.url));

/** Runs the script as the image's entrypoint does, and returns the values for the template. */
function start(origins: string) {
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', `. ${script}; printf %s "$GATEWAY_CORS_ORIGINS"`], {
    env: { ...process.env, GATEWAY_CORS_ORIGINS: origins },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe("the gateway's container", () => {
  it('starts with the origins that Auth accepts, without spaces', () => {
    for (const origins of [
      '',
      'https://app.example.com',
      'http://localhost:5173, https://a_b-c.example',
      'http://[::1]:3000',
    ]) {
      expect(start(origins)).to.deep.equal({ status: 0, stdout: origins.replaceAll(' ', ''), stderr: '' });
      if (origins !== '') expect(fields.origins.safeParse(origins).success, origins).to.equal(true);
    }
  });

  it('does not start with an origin that Auth refuses, and names the variable, the entry and the remedy', () => {
    for (const bad of [
      ...[
        '*',
        'null',
        'app.example.com',
        'https://*.example.com',
        'https://app.example.com/',
        'https://app.example.com/x',
      ],
      ...['https://APP.example.com', 'https://app.example.com:443', 'http://app.example.com:80', 'ftp://x', 'https://'],
    ]) {
      const { status, stderr } = start(`http://localhost:5173,${bad}`);
      expect(status, bad).to.equal(78);
      expect(stderr)
        .to.match(/^GATEWAY_CORS_ORIGINS has /)
        .and.include(`"${bad}"`)
        .and.include('scheme://host');
      expect(fields.origins.safeParse(bad).success, bad).to.equal(false);
    }
  });
});
