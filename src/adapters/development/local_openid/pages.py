from html import escape

from adapters.development.local_openid.provider import Parameters

_SUGGESTIONS = ("artist@example.com", "buyer@example.com")

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title>
<style>
  :root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
  body {{ display: grid; place-items: center; min-height: 100vh; margin: 0 }}
  main {{ width: min(22rem, 90vw) }}
  input, button {{ box-sizing: border-box; width: 100%; padding: .7rem; margin: .25rem 0; font: inherit;
    border: 1px solid #8888; border-radius: .5rem }}
  button {{ cursor: pointer; text-align: left }}
  button.go {{ background: #3656d6; color: #fff; text-align: center; border: 0 }}
  p {{ opacity: .75 }}
</style>
<main>{content}</main>
</html>
"""


def sign_in_page(request: Parameters, accounts: list[str]) -> str:
    kept = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in request.items()
        if name != "login_hint"
    )
    offers = "".join(
        f'<button name="login_hint" value="{escape(email)}">{escape(email)}</button>'
        for email in dict.fromkeys([*accounts, *_SUGGESTIONS])
    )
    return _PAGE.format(
        content=f"""
<h1>Who are you?</h1>
<p>This stands in for Google's sign-in on your own machine. No password: any address is yours.</p>
<form>{kept}
  <input type="email" name="login_hint" placeholder="someone@example.com" aria-label="E-mail" required autofocus>
  <button class="go">Sign in</button>
</form>
<form>{kept}{offers}</form>
"""
    )


def refusal_page(problem: str) -> str:
    return _PAGE.format(content=f"<h1>This cannot be done</h1><p>{escape(problem)}</p>")
