import { expect, it } from 'vitest';
import { Api, Refusal } from './api.ts';

interface Asked {
  readonly address: string;
  readonly options: RequestInit;
}

function server(...answers: (Response | Error)[]): { readonly api: Api; readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const api = new Api((address, options) => {
    asked.push({ address, options });
    const answer = answers.shift();
    return answer instanceof Response ? Promise.resolve(answer) : Promise.reject(answer ?? new Error('asked too often'));
  });
  return { api, asked };
}

const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });
const headersOf = ({ options }: Asked): Record<string, string> => options.headers as Record<string, string>;

it('what changes something carries the text that only this page could read', async () => {
  const { api, asked } = server(json({ signedIn: true, hasPassword: true, csrf: 'c1' }), json([]), json({ apiKey: '1' }, 201), new Response(null, { status: 204 }));
  await api.state();
  await api.projects();
  await api.createProject({ name: 'Acme' });
  await api.deleteProject('40012345');
  expect(asked.map(({ address, options }) => `${options.method} ${address}`)).toEqual([
    'GET projects/api/state',
    'GET projects/api/projects',
    'POST projects/api/projects',
    'DELETE projects/api/projects/40012345',
  ]);
  expect(asked.map((one) => headersOf(one)['X-Tertulia-CSRF'])).toEqual([undefined, undefined, 'c1', 'c1']);
  expect(asked[2]?.options.body).toBe('{"name":"Acme"}');
});

it('a refusal says what the server said', async () => {
  const { api } = server(json({ message: 'There is a project with the key already.' }, 400), new Response('<html>', { status: 502 }), new TypeError('network'));
  await expect(api.projects()).rejects.toEqual(new Refusal(400, 'There is a project with the key already.'));
  await expect(api.projects()).rejects.toEqual(new Refusal(502, 'The server answered 502.'));
  await expect(api.projects()).rejects.toMatchObject({ status: 0 });
});

it('ids cannot leave their place in the address', async () => {
  const { api, asked } = server(json({}));
  await api.session('../x', '2_a/../../b?c');
  expect(asked[0]?.address).toBe('projects/api/projects/..%2Fx/sessions/2_a%2F..%2F..%2Fb%3Fc');
});
