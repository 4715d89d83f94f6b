"""The JSON Schema of recipes, with the params of every experiment."""

from collections.abc import Sequence
from typing import Any

from resodectl.experiment import catalogue
from resodectl.experiment.columns import Log
from resodectl.recipe.papers import papers
from resodectl.recipe.schema import RecipeFile


def recipe_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that accepts recipes, and checks `params` and profiles by their experiment."""
    schema = RecipeFile.model_json_schema(by_alias=True)
    definitions = schema.setdefault("$defs", {})
    definitions["Band"] = {
        "description": "Where an estimate must fall: [low, high], null being an open end, or one integer.",
        "type": ["array", "integer"],
        "items": {"type": ["number", "null"]},
        "contains": {"type": "number"},
        "minItems": 2,
        "maxItems": 2,
    }
    definitions["Claim"] |= _CLAIM
    definitions["Control"] |= {"anyOf": [_given("where", {"minProperties": 1}), _given("set", {"minProperties": 1})]}
    definitions["Range"] |= {"anyOf": [_given("min", {"type": "number"}), _given("max", {"type": "number"})]}
    properties = schema["properties"]
    properties["family"] |= {"enum": sorted(catalogue.families())}
    properties["experiment"] |= {"enum": catalogue.experiments()}
    properties["claims"] |= {"anyOf": [{"maxItems": 0}, {"contains": {"not": _UNJUDGED}}]}
    properties["paper"]["anyOf"] = [{"$ref": "#/$defs/Paper"}, {"enum": sorted(papers())}]
    cases = []
    for experiment in catalogue.experiments():
        name = experiment.replace("/", ".")  # a slash would end a step of a JSON pointer
        spec = catalogue.experiment(experiment).spec
        params = spec.Params.model_json_schema(ref_template=f"#/$defs/{name}:{{model}}")
        definitions.update({f"{name}:{key}": value for key, value in params.pop("$defs", {}).items()})
        definitions[f"{name}:Params"] = params
        definitions[f"{name}:Changes"] = _partial(params)
        definitions[f"{name}:Set"] = _partial(params, required=())
        definitions[f"{name}:Claim"] = _claim(name, spec.LOG)
        for kind, columns in spec.LOG.items():
            definitions[f"{name}:columns:{kind}"] = {"propertyNames": {"enum": [column.name for column in columns]}}
        profile = {"$ref": f"#/$defs/{name}:Changes"}
        cases.append(
            {
                "if": {"properties": {"experiment": {"const": experiment}}},
                "then": {
                    "properties": {
                        "params": {"$ref": f"#/$defs/{name}:Params"},
                        "profiles": {
                            "properties": {"smoke": profile, "laptop": profile},
                            "additionalProperties": False,
                        },
                        "claims": {"items": {"$ref": f"#/$defs/{name}:Claim"}},
                    }
                },
            }
        )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "allOf": cases}


def _given(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """The schema of a mapping that has a key with such a value."""
    return {"required": [key], "properties": {key: value}}


_UNJUDGED = _given("gate", {"const": False})
_CLAIM: dict[str, Any] = {
    "oneOf": [_given("control", {"type": "object"}), _given("controls", {"minItems": 1})],
    "if": _UNJUDGED,
    "then": _given("because", {"type": "string"}),
    "else": {"properties": {"because": {"type": "null"}}},
}


def _claim(name: str, log: Log) -> dict[str, Any]:
    """What a claim of one experiment may look at and change: the kinds and columns of its log, its params."""
    several = len(log) > 1
    set_ = {"properties": {"set": {"$ref": f"#/$defs/{name}:Set"}}}

    def looking(kind: str) -> dict[str, Any]:
        where = {"$ref": f"#/$defs/{name}:columns:{kind}"}
        control = {"properties": {"where": where}}
        return {"properties": {"where": where, "each": where, "control": control, "controls": {"items": control}}}

    return {
        "properties": {
            "kind": {"enum": [*log] if several else [*log, None]},
            "control": set_,
            "controls": {"items": set_},
        },
        "required": ["kind"] if several else [],
        "allOf": [{"if": _given("kind", {"const": kind}) if several else True, "then": looking(kind)} for kind in log],
    }


def _partial(params: dict[str, Any], required: Sequence[str] = ("because",)) -> dict[str, Any]:
    """The schema of a profile: any of the params, whole or (for mappings) in part, and why, if that is `required`."""
    properties = {
        key: {"anyOf": [value, {"type": "object"}]}
        if any("$ref" in of or "oneOf" in of or "discriminator" in of for of in (value, *value.get("anyOf", ())))
        else value
        for key, value in params["properties"].items()
    }
    because = {"type": "string", "minLength": 1, "description": "why the profile differs from the paper"}
    reason = {"because": because} if required else {}
    return {**params, "properties": {**properties, **reason}, "required": list(required)}
