"""A development stand-in for an OpenID provider: signs in as the owner of any e-mail address."""
