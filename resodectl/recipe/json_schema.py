"""The JSON Schema of recipes, with the params of every experiment."""

from typing import Any

from resodectl.experiment import catalogue
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
    cases = []
    for experiment in catalogue.experiments():
        name = experiment.replace("/", ".")  # a slash would end a step of a JSON pointer
        params = catalogue.experiment(experiment).spec.Params.model_json_schema(
            ref_template=f"#/$defs/{name}:{{model}}"
        )
        definitions.update({f"{name}:{key}": value for key, value in params.pop("$defs", {}).items()})
        definitions[f"{name}:Params"] = params
        definitions[f"{name}:Changes"] = _partial(params)
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
                    }
                },
            }
        )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "allOf": cases}


def _partial(params: dict[str, Any]) -> dict[str, Any]:
    """The schema of a profile: any of the params, whole or (for mappings) in part, and why."""
    properties = {
        key: {"anyOf": [value, {"type": "object"}]}
        if "$ref" in value or "oneOf" in value or "discriminator" in value
        else value
        for key, value in params["properties"].items()
    }
    because = {"type": "string", "minLength": 1, "description": "why the profile differs from the paper"}
    return {**params, "properties": {**properties, "because": because}, "required": ["because"]}
