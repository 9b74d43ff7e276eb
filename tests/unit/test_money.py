from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.products.money import check_currency, parse_price

DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3, "CLF": 4}


@pytest.mark.parametrize(
    ("text", "currency", "price"),
    [
        ("0", "USD", "0.00"),
        ("12.5", "USD", "12.50"),
        ("12.5000", "USD", "12.50"),
        ("007", "USD", "7.00"),
        ("1000", "JPY", "1000"),
        ("1000.00", "JPY", "1000"),
        ("0.001", "KWD", "0.001"),
        ("0.0001", "CLF", "0.0001"),
        ("999999999999.99", "USD", "999999999999.99"),
    ],
)
def test_a_price_has_the_digits_of_its_currency(text: str, currency: str, price: str) -> None:
    """A price is exact, and written with the minor unit that ISO 4217 gives its currency."""
    assert str(parse_price(text, currency)) == price


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-1", "+1", "-0", "1e400", "1E2", "NaN", "nan", "sNaN", "Infinity", "-Infinity", "0x10", "1_000"),
        *(".5", "5.", "1,50", "1.2.3", " 1", "1 ", "1\n", "1\0", "1.00000", "1000000000000", "9" * 5000),
        *("１２", "٣", "½", "\ud800"),  # noqa: RUF001  # other scripts' digits are the point
    ],
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    """No sign, exponent, special value, separator, space or foreign digit is let through."""
    with pytest.raises(ValueError, match="write a decimal number in a string"):
        parse_price(text, "USD")


@pytest.mark.parametrize(("text", "currency"), [("0.001", "USD"), ("0.1", "JPY"), ("0.0001", "KWD")])
def test_more_digits_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    """A tenth of a cent cannot be charged; the message says how many digits there are."""
    with pytest.raises(ValueError, match=rf"^{currency} has {DIGITS[currency]} digits after the point$"):
        parse_price(text, currency)


@given(currency=st.sampled_from(sorted(DIGITS)), data=st.data())
def test_no_price_is_ever_rounded(currency: str, data: st.DataObject) -> None:
    """Whatever is accepted is the number that was written, with exactly the currency's digits."""
    places = DIGITS[currency]
    number = data.draw(st.decimals(0, 10**12 - 1, places=places, allow_nan=False, allow_infinity=False))

    price = parse_price(f"{number:f}", currency)

    assert price == number
    assert price.as_tuple().exponent == -places


@given(text=st.text())
def test_any_text_is_a_price_or_a_value_error(text: str) -> None:
    """There is no text that makes the parser fail in another way, or give what is not finite and positive."""
    try:
        price = parse_price(text, "USD")
    except ValueError:
        return
    assert price.is_finite()
    assert price >= Decimal(0)


@pytest.mark.parametrize("code", ["usd", "US", "", "USDX", "ZZZ", "XAU", "USD\n", "\0", "U$D"])
def test_only_currencies_that_prices_are_given_in(code: str) -> None:
    """Codes are those of ISO 4217, as they are written there; gold and the like have no minor unit."""
    with pytest.raises(ValueError, match="ISO 4217"):
        check_currency(code)


@pytest.mark.parametrize("code", sorted(DIGITS))
def test_currencies_that_are_known(code: str) -> None:
    """A code comes back unchanged."""
    assert check_currency(code) == code
