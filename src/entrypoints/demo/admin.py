"""The day of an operator: a report, an apology, a refund, and a payout, by command."""

import contextlib
import io
import random
import secrets
import shlex
from typing import Any
from urllib.parse import urljoin

import httpx

from entrypoints.cli.commands import PROGRAM, main
from entrypoints.command_failed import CommandFailed
from entrypoints.demo.person import Person
from entrypoints.demo.pictures import MOODS
from entrypoints.demo.studio import become_artist, browser, have_image_made, offer_style
from entrypoints.demo.telling import balance, step, tell

PRICE = 200
"""Tokens for an image: the 100 welcome tokens, which never become money, and 100 that are bought."""
PICTURES = 10
"""Artworks of the style."""
PAYOUT = 100
"""Tokens."""


def play(base: str) -> None:
    chance = random.Random()  # noqa: S311 - the choice of a motif is no secret
    who = secrets.token_hex(3)
    with browser(base) as one, browser(base) as two, browser(base) as three, browser(base) as four:
        mina, leo, zoe, boss = Person("Mina", one), Person("Leo", two), Person("Zoe", three), Person("the boss", four)

        step("Mina offers a style")
        become_artist(mina, f"mina-{who}@example.com", f"Mina K. {who}")
        style = offer_style(mina, chance.choice(list(MOODS)), chance, pictures=PICTURES, price=PRICE)

        step("Leo buys tokens, has an image made, and publishes it")
        leo.sign_in(f"leo-{who}@example.com")
        order_id = _buy(leo, "standard_500")
        tell(f"bought 500 tokens: {balance(leo)}")
        image = have_image_made(leo, style, ["portrait", "woman", "evening"])
        leo.ask("PATCH", f"/api/generations/{image['id']}", json={"is_public": True})

        step("The boss signs in and is made an admin")
        boss.sign_in(f"boss-{who}@example.com")
        admin = f"boss-{who}@example.com"
        _command("admins", "add", admin)
        _see_console(boss)

        _report(zoe, leo, image, f"zoe-{who}@example.com", admin)
        _grant(zoe, f"zoe-{who}@example.com", admin)
        _refund(leo, order_id, admin)
        _pay_out(mina, admin)

        step("What the audit log has of the day")
        _command("audit", "list", "--limit", "5")
        _command("reconcile")
    print(f"\nAn admin sees all this at {base}/admin", flush=True)


def _report(zoe: Person, leo: Person, image: Any, email: str, admin: str) -> None:
    step("Zoe reports the image; the admin looks at it and finds nothing wrong")
    zoe.sign_in(email)
    new = {
        "target_type": "generation",
        "target_id": image["id"],
        "reason": "copyright",
        "text": "That looks like my sister.",
    }
    report = zoe.ask("POST", "/api/reports", json=new)
    _command("reports", "list", "--limit", "3")
    decision = ("--outcome", "dismissed", "--reason", "Nobody in particular is shown.")
    _command("reports", "resolve", str(report["id"]), "--as", admin, *decision)
    for person in (zoe, leo):
        told = person.ask("GET", "/api/notifications")["results"][0]
        tell(f"{person.name} is notified: {told['type']}, {told['metadata']['outcome']}")


def _grant(zoe: Person, email: str, admin: str) -> None:
    step("Zoe has waited long; she gets some tokens as an apology")
    _command("tokens", "grant", email, "50", "--as", admin, "--reason", "Sorry that it took a day.")
    tell(f"Zoe: {balance(zoe)}")


def _refund(leo: Person, order_id: str, admin: str) -> None:
    step("Leo has bought more than he needs, and asks for a part of the money back")
    decision = ("--amount", "100", "--reason", "Bought too many.")
    _command("tokens", "refund", "--as", admin, *decision, "--", order_id)  # it may begin with a hyphen
    tell("the payment provider is asked by a maintenance pass, which otherwise runs each minute")
    _command("maintenance")
    purchase = leo.ask("GET", f"/api/tokens/purchases/{order_id}")
    tell(f"the purchase is {purchase['status']}, {purchase['refunded_price']} {purchase['currency_code']} went back")
    [notification, *_] = leo.ask("GET", "/api/notifications")["results"]
    refund = notification["metadata"]
    tell(f"Leo is notified: {notification['type']}, {refund['tokens']} tokens, {refund['price']} KRW")
    tell(f"Leo: {balance(leo)}")


def _pay_out(mina: Person, admin: str) -> None:
    step("Mina asks to be paid; the admin looks where the tokens come from, and pays")
    funds = mina.ask("GET", "/api/tokens/balance")
    if funds["withdrawable_tokens"] < PAYOUT:
        tell(f"{funds['maturing_tokens']} tokens can be withdrawn when PAYOUT_DELAY_DAYS have passed.")
        tell("Start the service with PAYOUT_DELAY_DAYS=0 to see a payout now.")
        return
    withdrawal = mina.ask("POST", "/api/tokens/withdrawals", json={"amount": PAYOUT})
    _command("withdrawals", "sources", str(withdrawal["id"]))
    _command("withdrawals", "settle", str(withdrawal["id"]), "--as", admin)
    tell(f"Mina: {balance(mina)}")


def _buy(person: Person, package: str) -> str:
    """Pay on the page of the sandbox, and come back; returns the order's id."""
    purchase = person.ask("POST", "/api/tokens/purchase", json={"package_id": package})
    paid = person.browser.post(purchase["payment_url"], data={"choice": "pay"})
    if not paid.is_redirect:
        raise CommandFailed("The demo needs the payment sandbox, so a service without TOSS_SECRET_KEY.")
    person.browser.get(urljoin(str(paid.url), paid.headers["Location"]))
    order_id: str = purchase["order_id"]
    return order_id


def _see_console(boss: Person) -> None:
    answer = boss.browser.get("/admin/")
    seen = "the console is open to the boss" if answer.status_code == httpx.codes.OK else "there is no console here"
    tell(f"GET /admin/: {answer.status_code}, {seen}")


def _command(*arguments: str) -> None:
    """Run a command as an operator does, and show it with its output."""
    tell(f"$ {PROGRAM} {shlex.join(arguments)}")
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(output):
        status = main(list(arguments))
    for line in output.getvalue().splitlines():
        tell(f"  {line}")
    if status:
        raise CommandFailed("The command has failed. The demo needs the service that runs on DATA_DIR.")
