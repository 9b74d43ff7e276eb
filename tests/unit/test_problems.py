from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, field_validator

from shared.problems import MAX_FIELDS, FieldError, field_errors, problem


class _Inner(BaseModel):
    body: int


class _Outer(BaseModel):
    query: list[_Inner]
    odd: int = 1

    @field_validator("odd")
    @classmethod
    def _is_odd(cls, odd: int) -> int:
        if odd % 2 == 0:
            raise ValueError("send an odd number")
        return odd


def _found_in(value: object) -> list[FieldError]:
    try:
        _Outer.model_validate(value)
    except ValidationError as error:
        return field_errors(error.errors())
    return []


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    """`type`, `title`, `status` and `detail`; `errors` only where fields can be named."""
    assert problem(404, "no such thing") == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no such thing",
    }


def test_a_problem_names_the_fields() -> None:
    """Each field stands with what is wrong with it."""
    document = problem(422, "two are wrong", [FieldError("a", "too long"), FieldError("b", "missing")])

    assert document["errors"] == [{"field": "a", "message": "too long"}, {"field": "b", "message": "missing"}]


def test_a_field_is_named_by_its_path() -> None:
    """Also a field whose name is that of a part of a request, and one inside a list."""
    assert [error.field for error in _found_in({"query": [{"body": 1}, {"body": "x"}]})] == ["query.1.body"]


def test_the_whole_is_called_body() -> None:
    """What is wrong as a whole has no path, and is named all the same."""
    assert [error.field for error in _found_in([])] == ["body"]


def test_our_own_messages_stand_as_they_were_written() -> None:
    """What a validator raises is said without pydantic's prefix."""
    assert _found_in({"query": [], "odd": 2}) == [FieldError("odd", "send an odd number")]


@given(st.integers(0, 100))
def test_only_so_many_fields_are_named(wrong: int) -> None:
    """The answer to a few bytes is never huge."""
    assert len(_found_in({"query": [{"body": "x"}] * wrong})) == min(wrong, MAX_FIELDS)
