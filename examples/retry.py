"""A flaky service: tried again by policy, the same idempotency key each time; a final error is not tried again."""

from __future__ import annotations

from weft_core import App, Context, Retry, activity_info, run_sync

app = App("retry")


class CardDeclined(Exception):
    """The bank said no: asking again would not help."""


@app.activity(retry=Retry(max_attempts=5, initial="20ms", backoff=2.0, give_up_on=(CardDeclined,)))
async def charge(card: str, cents: int) -> str:
    """Fails twice, then works; declines an expired card at once."""
    info = activity_info()
    if card == "expired":
        raise CardDeclined(card)
    if info.attempt < 3:
        raise ConnectionError("the bank does not answer")
    return f"charged {cents} with key {info.key}, attempt {info.attempt}"


@app.workflow
async def pay(ctx: Context, cards: list[str]) -> str:
    """The first card that works. An activity's error arrives as itself, so plain `except` is enough."""
    for card in cards:
        try:
            return await ctx.run(charge, card, 995)
        except CardDeclined:
            ctx.log("%s was declined", card)
    raise LookupError("no card works")


if __name__ == "__main__":
    print(run_sync(app, pay, ["expired", "visa"]))
