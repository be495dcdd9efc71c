"""Strict loading of a section of params.yaml into a checked dataclass."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

# Frozen, keyword-only and strict: no string becomes a number, no unknown key is swallowed.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


T = TypeVar("T")
Share = Annotated[float, Field(ge=0, le=1)]


class _Yaml12Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-05 as a number, as YAML 1.2 and DVC do (`-S lr=1e-5` writes it)."""


# The parser in C, six times as fast, is not in every build of PyYAML.
class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same, and its messages say less about what is wrong."""


for _loader in (_Yaml12Loader, _FastLoader):
    _loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"),
        list("-+0123456789"),
    )


def load_section(file: Path, section: str, kind: type[T], changes: str = "") -> T:
    """Return the section (dotted keys, '' is the top level) of a params file as the type kind.

    changes names a second section, whose keys override those of the first at any depth.

    Raises:
        ValueError: the file cannot be read or parsed, or a key is missing, unknown, of the wrong
            type or out of range; the message gives file, key, rule and value.
    """
    content = read_yaml(file)
    value = _walk(file, content, section)
    changed = _walk(file, content, changes) if changes else {}
    if changed:
        value = _merged(value, changed)
    try:
        # By way of JSON, where strict mode still accepts a list for a tuple.
        # A YAML date becomes its text again.
        content = json.dumps(value, default=str)
        return TypeAdapter(kind).validate_json(content, strict=True)
    except ValidationError as error:
        problems = "; ".join(
            _problem(changes if _is_changed(changed, item["loc"]) else section, item)
            for item in error.errors()
        )
        raise ValueError(f"{file}: {problems}") from error


def _walk(file: Path, value: Any, section: str) -> Any:
    walked: list[str] = []
    for key in filter(None, section.split(".")):
        if not isinstance(value, Mapping) or key not in value:
            known = ", ".join(map(str, value)) if isinstance(value, Mapping) else "none"
            where = ".".join(walked) or "the top level"
            raise ValueError(f"{file}: {section}: no key {key!r} in {where} (keys: {known})")
        value = value[key]
        walked.append(key)
    return value


def _merged(value: Any, changes: Any) -> Any:
    if not isinstance(value, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**value, **{key: _merged(value.get(key), new) for key, new in changes.items()}}


def _is_changed(changes: Any, location: Sequence[int | str]) -> bool:
    """Whether the value at a location comes, at least in part, from the changes."""
    for key in location:
        if not isinstance(changes, Mapping):
            return True  # a value that contains the location was changed
        if key not in changes:
            return False
        changes = changes[key]
    return changes != {}


def read_yaml(file: Path) -> Any:
    """Parse a YAML file.

    Raises:
        ValueError: it is missing, unreadable or no YAML.
    """
    try:
        text = file.read_text(encoding="utf-8")
        try:
            return yaml.load(text, Loader=_FastLoader)
        except yaml.YAMLError:
            return yaml.load(text, Loader=_Yaml12Loader)
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file}: not a YAML file: {reason}") from error


# How the messages of pydantic begin, before the rule.
_SUBJECT = re.compile(r"^(Value error, |(Input|Tuple|List) (?=should ))")


def _problem(section: str, item: Any) -> str:
    """Return one sentence for one error of pydantic: key, rule, value."""
    key = ".".join(filter(None, [section, *(str(part) for part in item["loc"])]))
    if item["type"] == "missing":
        return f"{key}: is missing"
    if item["type"] == "unexpected_keyword_argument":
        return f"{key}: is unknown (value {item['input']!r})"
    rule = _SUBJECT.sub("", item["msg"]).partition(" after validation, ")[0]
    # Not a whole section: the message of its rule names the value already.
    value = "" if isinstance(item["input"], dict) else f", got {item['input']!r}"
    return f"{key}: {rule}{value}" if key else f"{rule}{value}"
