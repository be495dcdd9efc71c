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


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that reads plain values as DVC does, by YAML 1.2, or refuses them."""


# The parser in C, six times as fast, is not in every build of PyYAML.
class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same, and its messages say less about what is wrong."""


# Plain values that PyYAML reads by YAML 1.1: 010 is 8, 12:30 is 750 and `no` is false.
_AMBIGUOUS = "!ambiguous"
_AMBIGUOUS_VALUE = re.compile(
    r"[-+]?0[0-9_]+$|[-+]?0o[0-7_]+$|[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?$|(yes|no|on|off)$", re.I
)
# 1e-05, too, is a number in YAML 1.2 alone: `-S learning_rate=1e-5` writes it.
_FLOAT = "tag:yaml.org,2002:float"
_FLOAT_VALUE = re.compile(r"[-+]?\d[\d_]*(\.[\d_]*)?[eE][-+]?\d+$|[-+]\.\d[\d_]*$")


def _refuse(loader: Any, node: yaml.ScalarNode) -> None:
    raise yaml.constructor.ConstructorError(
        None,
        None,
        f"{node.value} means one thing in YAML 1.1 and another in YAML 1.2, by which DVC reads it: "
        "write it in another way, or in quotes if it is a text",
        node.start_mark,
    )


for _loader in (_StrictLoader, _FastLoader):
    # The first rule of those for a value's first character that fits counts.
    _loader.yaml_implicit_resolvers = {
        char: [(_AMBIGUOUS, _AMBIGUOUS_VALUE), *rules, (_FLOAT, _FLOAT_VALUE)]
        for char, rules in _loader.yaml_implicit_resolvers.items()
    }
    _loader.add_constructor(_AMBIGUOUS, _refuse)


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
        problems: dict[str, list[tuple[str, str]]] = {}
        for item in error.errors():
            location = _location(value, item)
            where = changes if _is_changed(changed, location) else section
            key = ".".join(filter(None, [where, *map(str, location)]))
            problems.setdefault(key, []).append(_rule(item))
        raise ValueError(f"{file}: {_listed(problems)}") from error


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
            return yaml.load(text, Loader=_StrictLoader)
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file}: not a YAML file: {reason}") from error


# How the messages of pydantic begin, before the rule.
_SUBJECT = re.compile(r"^(Value error, |(Input|Tuple|List) (?=should ))")


def _location(value: Any, item: Any) -> list[int | str]:
    """Return the keys that lead to an error, without pydantic's names for the types of a union."""
    if item["type"] == "missing":
        return list(item["loc"])
    location: list[int | str] = []
    for key in item["loc"]:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            continue
        location.append(key)
    return location


def _rule(item: Any) -> tuple[str, str]:
    """Return the rule that a value breaks, and the value."""
    if item["type"] == "missing":
        return "is missing", ""
    if item["type"] == "unexpected_keyword_argument":
        return "is unknown", f" (value {item['input']!r})"
    rule = _SUBJECT.sub("", item["msg"]).partition(" after validation, ")[0]
    # Not a whole section: the message of its rule names the value already.
    return rule, "" if isinstance(item["input"], dict) else f", got {item['input']!r}"


def _listed(problems: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Return the rules by key in one line; those of the types of a union are alternatives."""
    parts = []
    for key, broken in problems.items():
        rules, values = zip(*broken, strict=True)
        parts.append((f"{key}: " if key else "") + " or ".join(rules) + values[0])
    return "; ".join(parts)
