"""A client by Authlib, as docs/clients.md has it: prints where a browser goes, reads where it came back to, prints what it learned."""

import json
import os
import sys

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt

issuer = os.environ["ISSUER"]
client = OAuth2Session(
    os.environ["CLIENT_ID"],
    os.environ["CLIENT_SECRET"],
    scope="openid profile email offline_access tasks:read",
    redirect_uri=os.environ["REDIRECT_URI"],
    code_challenge_method="S256",
)
verifier = generate_token(48)
url, state = client.create_authorization_url(
    f"{issuer}/authorize", code_verifier=verifier, resource="urn:taskwire:tasks", prompt="consent"
)
print(url, flush=True)
token = client.fetch_token(
    f"{issuer}/token", authorization_response=sys.stdin.readline().strip(), state=state, code_verifier=verifier
)
keys = JsonWebKey.import_key_set(client.get(f"{issuer}/jwks", withhold_token=True).json())
claims = jwt.decode(token["id_token"], keys)
claims.validate()
userinfo = client.get(f"{issuer}/userinfo").json()
token = client.refresh_token(f"{issuer}/token")
client.revoke_token(f"{issuer}/revoke", token=token["refresh_token"], token_type_hint="refresh_token")
print(json.dumps({"claims": claims, "userinfo": userinfo, "api": token["access_token"]}))
