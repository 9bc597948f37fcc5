"""An OpenID provider for development: whoever gives an e-mail address is signed in as its owner."""
