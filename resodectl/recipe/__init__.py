"""Recipes: one YAML file for one figure of one paper, validated, with profiles and overrides applied."""
