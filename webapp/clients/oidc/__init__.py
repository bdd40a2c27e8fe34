"""OpenID Connect: the owner's applications sign people in with their account here.

Authorization code flow with PKCE, for the applications that `OIDC_CLIENTS` names and no others.
Read `authorize` and `token` first: they are the two halves of one sign-in.
"""

# Applications, and browsers sent by them, post here from elsewhere. Tokens want a secret, and the
# two pages only send a browser back to themselves by GET.
OPEN_PATHS = frozenset({"/oidc/authorize", "/oidc/token", "/oidc/userinfo", "/oidc/logout"})
