// A small application by npm's openid-client: node openid_client.mjs ISSUER ID SECRET PORT
import http from "node:http";
import * as oidc from "openid-client";

const [issuer, id, secret, port] = process.argv.slice(2);
const here = `http://localhost:${port}`;
const insecure = { execute: [oidc.allowInsecureRequests] }; // it is all on loopback
const config = await oidc.discovery(new URL(issuer), id, secret, undefined, insecure);
let checks, tokens;

const pages = {
  async "/signin"() {
    checks = {
      pkceCodeVerifier: oidc.randomPKCECodeVerifier(),
      expectedState: oidc.randomState(),
      expectedNonce: oidc.randomNonce(),
      maxAge: 3600,
      idTokenExpected: true,
    };
    return oidc.buildAuthorizationUrl(config, {
      redirect_uri: `${here}/callback`,
      scope: "openid profile email phone",
      code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: "S256",
      state: checks.expectedState,
      nonce: checks.expectedNonce,
      max_age: "3600",
    });
  },
  async "/callback"(url) {
    tokens = await oidc.authorizationCodeGrant(config, url, checks);
    return oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  },
  async "/again"() {
    return oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  },
  async "/signout"() {
    return oidc.buildEndSessionUrl(config, {
      post_logout_redirect_uri: `${here}/bye`,
      id_token_hint: tokens.id_token,
    });
  },
  async "/bye"() {
    return { bye: true };
  },
};

async function answer(request, response) {
  const url = new URL(request.url, here);
  try {
    const result = await pages[url.pathname](url);
    if (result instanceof URL) response.writeHead(302, { location: result.href }).end();
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result));
  } catch (error) {
    response.writeHead(500).end(`${error}: ${error.cause ?? ""}`);
  }
}

http.createServer(answer).listen(Number(port), "localhost");
