from html import escape

from adapters.development.payment_sandbox.provider import Checkout, Mode

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Payment</title>
<style>
  :root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
  body {{ display: grid; place-items: center; min-height: 100vh; margin: 0 }}
  main {{ width: min(22rem, 90vw) }}
  input {{ font: inherit; padding: .4rem; border: 1px solid #8888; border-radius: .5rem }}
  button {{ box-sizing: border-box; width: 100%; padding: .7rem; margin: .25rem 0; font: inherit; cursor: pointer;
    border: 1px solid #8888; border-radius: .5rem }}
  button.go, button[aria-pressed=true] {{ background: #3656d6; color: #fff; border: 0 }}
  p {{ opacity: .75 }}
</style>
<main>{content}</main>
</html>
"""


def checkout_page(payment: Checkout) -> str:
    return _PAGE.format(
        content=f"""
<h1>{escape(payment.order_name)}</h1>
<p>KRW {payment.amount:,}. This stands in for Toss Payments on your own machine: no card, no money.</p>
<form method="post">
  <button class="go" name="choice" value="pay">Pay</button>
  <button name="choice" value="refused">Pay with a card that is refused</button>
  <button name="choice" value="decline">Go back without paying</button>
</form>
"""
    )


MODES = {
    Mode.NORMAL: "Answer normally",
    Mode.DOWN: "Be down",
    Mode.SILENT: "Do what is asked, and lose the answers",
    Mode.UNWILLING: "Refuse to cancel",
}


def console_page(payments: list[Checkout], mode: Mode, problem: str) -> str:
    rows = "".join(
        f"""
<form method="post">
  <p>{escape(payment.order_name)}, {escape(payment.order_id)}: {payment.status}, KRW {payment.left:,} of
    {payment.amount:,} left</p>
  <input type="hidden" name="payment_key" value="{escape(payment.payment_key)}">
  <label>KRW <input name="amount" value="{payment.left}" inputmode="numeric"></label>
  <button>Cancel</button>
</form>
"""
        for payment in payments
    )
    modes = "".join(
        f'<button name="mode" value="{one.value}" aria-pressed="{str(one is mode).lower()}">{label}</button>'
        for one, label in MODES.items()
    )
    refused = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return _PAGE.format(
        content=f"<h1>Payments</h1><p>Money given back here is reported by a webhook.</p>{refused}"
        + (rows or "<p>Nothing was paid yet.</p>")
        + f'<h2>The API</h2><form method="post">{modes}</form>'
    )


def refusal_page(problem: str) -> str:
    return _PAGE.format(content=f"<h1>This cannot be done</h1><p>{escape(problem)}</p>")
