"""The settings that a service would run with: each one's value, where it comes from, and what is wrong with it."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import InitSettingsSource

from deploy.cli.config.checks import Service
from deploy.cli.config.masking import masked
from deploy.cli.config.settings import Given
from shared.errors import StartupError
from shared.problems import invalid_fields
from shared.settings import PREFIX, ServiceSettings

_DEFAULT = "default"
_MISSING = "missing"


class Setting(NamedTuple):
    """One of them, fit to be shown."""

    variable: str
    value: str
    source: str


class Effective(NamedTuple):
    """All of a service's. What is in `wrong` begins with the variable's name."""

    settings: list[Setting]
    wrong: list[str]


def variable(field: str) -> str:
    """Return the name of the variable that sets a field."""
    return f"{PREFIX}{field.upper()}"


def effective(service: Service, given: Mapping[str, Given]) -> Effective:
    """Read what is given as the service would; what cannot be read is named, and does not hide what else is wrong."""
    fields = service.settings.model_fields
    set_here = {field: given[variable(field)] for field in fields if variable(field) in given}
    values, wrong = _values(service.settings, set_here)
    settings, invalid = _validated(service, values)
    shown = [
        Setting(
            variable(field),
            _shown(field, info, settings, set_here.get(field)),
            set_here[field].source if field in set_here else _MISSING if info.is_required() else _DEFAULT,
        )
        for field, info in fields.items()
    ]
    return Effective(shown, wrong + invalid)


def _values(settings: type[ServiceSettings], given: Mapping[str, Given]) -> tuple[dict[str, Any], list[str]]:
    """Return what can be taken apart of what is given, and what is wrong with the rest."""
    source = InitSettingsSource(settings, {})
    values: dict[str, Any] = {}
    wrong = []
    for field, (text, where) in given.items():
        info = settings.model_fields[field]
        if text is None:
            wrong.append(f"{variable(field)}: {where} cannot be read as text")
        elif not source.field_is_complex(info):
            values[field] = text
        else:
            try:
                values[field] = json.loads(text)
            except ValueError:
                kind = "an object" if isinstance(info.get_default(call_default_factory=True), dict) else "a list"
                wrong.append(f"{variable(field)}: must be {kind} in JSON")
    return values, wrong


def _validated(service: Service, values: dict[str, Any]) -> tuple[ServiceSettings | None, list[str]]:
    source = InitSettingsSource(service.settings, values)
    try:
        settings = service.settings(_build_sources=((source,), {}))
    except ValidationError as error:
        return None, [f"{_named(path)}: {message}" for path, message in invalid_fields(error)]
    wrong = []
    for check in service.checks:
        try:
            check(settings)
        except StartupError as error:
            wrong.append(str(error))
    return settings, wrong


def _named(path: str) -> str:
    field, dot, inside = path.partition(".")
    return f"{variable(field)}{dot}{inside}"


def _shown(field: str, info: FieldInfo, settings: ServiceSettings | None, given: Given | None) -> str:
    value: Any
    if settings is not None:
        value = getattr(settings, field)
    elif given is not None:
        value = given.text or ""
    else:
        value = "" if info.is_required() else info.get_default(call_default_factory=True)
    return masked(field, _text(value), is_secret=info.annotation is SecretStr)


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    # As it would be written into the variable: lists and truth in JSON.
    return value if isinstance(value, str) else json.dumps(value, default=str)
