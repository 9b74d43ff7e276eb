"""Prices: exact decimals with the minor unit of their currency (ISO 4217), never a float."""

import re
from decimal import Decimal

from iso4217 import Currency

_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?", re.ASCII)
_EXPONENTS: dict[str, int] = {
    currency.code: currency.exponent for currency in Currency if currency.exponent is not None
}


def check_currency(code: str) -> str:
    """Return `code` if it is a currency that prices can be given in; raise ValueError otherwise."""
    if code not in _EXPONENTS:
        raise ValueError("use the three capital letters of an ISO 4217 currency, like USD")
    return code


def parse_price(text: str, currency: str) -> Decimal:
    """Read a price such as `12.5` in `currency`; raise ValueError that says what is allowed."""
    if not _PRICE.fullmatch(text):
        raise ValueError('write a decimal number in a string, like "12.50", from 0 up to 12 digits before the point')
    digits = _EXPONENTS[currency]
    if len(text.partition(".")[2].rstrip("0")) > digits:
        raise ValueError(f"{currency} has {digits} digits after the point")
    return Decimal(text).quantize(Decimal(1).scaleb(-digits))
