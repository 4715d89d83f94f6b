"""Loading recipes: profiles, overrides, deviations, and messages that say what, where and what instead."""

from pathlib import Path

import pytest

from resodectl.recipe.load import Request, load
from resodectl.recipe.merging import Layer, Layers, Written, in_order, override
from resodectl.recipe.reading import RecipeError, read_text


def edited(toy: Path, tmp_path: Path, old: str, new: str) -> Path:
    text = toy.read_text("utf-8")
    assert old in text
    path = tmp_path / "edited.yaml"
    path.write_text(text.replace(old, new), "utf-8")
    return path


def test_profiles_change_only_what_they_name(toy: Path) -> None:
    paper, laptop = (load(toy, Request(profile)) for profile in ("paper", "laptop"))
    assert paper.params.lengths == (100000,)
    assert laptop.params.lengths == (4, 400, 4000)
    assert laptop.params.seeds == paper.params.seeds == 4
    assert paper.deviations == ()
    assert [str(deviation) for deviation in laptop.deviations] == ["lengths: [4, 400, 4000] (paper: [100000])"]
    assert laptop.because == "a long walk takes long"


def test_overrides_are_yaml_and_are_told_apart_by_their_folder(toy: Path) -> None:
    plain = load(toy, Request())
    changed = load(toy, Request(sets=("drift=1e-1", "lengths=[8, 16]"), seeds=6, first_seed=1000))
    assert (changed.params.drift, changed.params.lengths, changed.params.seeds) == (0.1, (8, 16), 6)
    assert plain.folder == "laptop"
    assert changed.folder.startswith("laptop-")
    assert changed.hash != plain.hash


def test_controls_lay_their_changes_over_the_profile(toy: Path) -> None:
    recipe = load(toy, Request("smoke"))
    params = recipe.varied(0, ("control",))
    assert params.drift == 0.5
    assert params.lengths == recipe.params.lengths


SEVERAL = """    controls:
      - because: no drift
        set: {drift: 0.5}
      - because: short walks
        where: {length: 4}
"""


def several(toy: Path, folder: Path, controls: str = SEVERAL) -> Path:
    """The recipe of the toy with several controls of its claim."""
    head, _ = toy.read_text("utf-8").split("    control:")
    path = folder / "several.yaml"
    path.write_text(head + controls, "utf-8")
    return path


def test_a_claim_may_have_several_controls(toy: Path, tmp_path: Path) -> None:
    recipe = load(several(toy, tmp_path))
    (claim,) = recipe.claims
    assert [control.because for control in claim.every_control().values()] == ["no drift", "short walks"]
    assert recipe.varied(0, ("controls", 0)).drift == 0.5


@pytest.mark.parametrize(
    ("controls", "says"),
    [
        ("", "claims.0: a claim needs either 'control', or 'controls', a list of several"),
        (SEVERAL + "    control: {because: too many, set: {drift: 0.5}}\n", "a claim needs either 'control', or"),
        ("    controls: []\n", "a claim needs either 'control', or"),
        (SEVERAL.replace("length: 4", "lenght: 4"), "several.yaml:27:17: the log has no column 'lenght'"),
        (SEVERAL.replace("drift: 0.5", "drifd: 0.5"), "several.yaml:25:15: unknown key 'params.drifd'"),
    ],
)
def test_each_of_several_controls_is_checked_where_it_stands(
    toy: Path, tmp_path: Path, controls: str, says: str
) -> None:
    with pytest.raises(RecipeError) as refused:
        load(several(toy, tmp_path, controls))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  seeds: 4", "  sedes: 4", "edited.yaml:8:3: unknown key 'params.sedes'; did you mean 'seeds'?"),
        ("  seeds: 4\n", "", "the key 'params.seeds' is missing"),
        ("  seeds: 4", "  seeds: many", "edited.yaml:8:3: params.seeds: input should be a valid integer, got 'many'"),
        ("  seeds: 4", "  seeds: -4", "params.seeds: input should be greater than or equal to 1, got -4"),
        ("  seeds: 4", "  seeds: 4.0", "params.seeds: input should be a valid integer, got 4.0"),
        ("  seeds: 4", "  seeds: true", "params.seeds: input should be a valid integer, got true"),
        ("[4, 400, 4000]", "[4, x]", "edited.yaml:11:18: params.lengths.1: input should be a valid integer"),
        ("family: toy", "family: toyy", "edited.yaml:1:1: there is no family 'toyy'; did you mean 'toy'?"),
        ("toy/walk\n", "toy/wolk\n", "there is no experiment 'toy/wolk'; did you mean 'toy/walk'?"),
        ("    because: for tests\n", "", "the profile must say why it differs"),
        ("paper: sander2022", "papers: sander2022", "unknown key 'papers'; did you mean 'paper'?"),
        ("kind: ends", "kind: end", "the log has no kind 'end'; did you mean 'ends'?"),
        ("    kind: ends\n", "", "the log has several kinds"),
        ("{length: {min: 100}}", "{lenght: 3}", "the log has no column 'lenght'; did you mean 'length'?"),
        ("[-0.2, 0.2]", "[0.2, -0.2]", "the low end of a band must be below its high end"),
        ("[-0.2, 0.2]", "[null, null]", "a band that is open at both ends cannot fail"),
        ("[-0.2, 0.2]", "[1, 2, 3]", "a band is a pair [low, high]"),
        ("{drift: 0.5}", "{draft: 0.5}", "unknown key 'params.draft'; did you mean 'drift'?"),
        ("set: {drift: 0.5}\n      ", "", "a control must change something"),
        ("    because: the walk must have no drift", "", "because' is missing"),
        ("  smoke:", "  smok:", "smok"),
        ("[-0.2, 0.2]", "{laptop: [0, 1]}", ":22:5: the key 'claims.0.within.paper' is missing"),
        ("[-0.2, 0.2]", "[0, x]", "a band is a pair [low, high] of numbers"),
        ("{min: 100}", "{mn: 1}", "unknown key 'claims.0.where.length.mn'; did you mean 'min'?"),
        ("{min: 100}", "{min: a}", ":20:22: claims.0.where.length.min: input should be a valid number, got 'a'"),
        ("{min: 100}", "null", "a number, a string, a list or a mapping, got null"),
        ("{length: {min: 100}}", "3", "claims.0.where: input should be a mapping, got 3"),
        ("{min: 100}", "{}", "edited.yaml:20:13: the range is empty"),
        ("{min: 100}", "{min: 3, max: 2}", "its min is above its max"),
        ("{min: 100}", "'3'", "the column 'length' holds int64 values, got \"3\""),
        ("{min: 100}", "[4, true]", "the column 'length' holds int64 values, got true"),
        ("{min: 100}", "[]", "the list is empty"),
        ("set: {drift: 0.5}", "where: {end: x}", "edited.yaml:24:15: the column 'end' holds float64 values"),
        ("  seeds: 4", "  seeds: 1000001", "edited.yaml:8:3: params.seeds: more than 1000000 seeds are too many"),
        ("  lengths: [100000]", "  lengths: []", "params.lengths: the list should have at least 1 item, not 0"),
    ],
)
def test_mistakes_are_named_with_place_and_remedy(toy: Path, tmp_path: Path, old: str, new: str, says: str) -> None:
    path = edited(toy, tmp_path, old, new)
    with pytest.raises(RecipeError) as refused:
        load(path)
    message = str(refused.value)
    assert says in message
    assert message.startswith(str(path))
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sede=3", "--set sede=3: unknown key 'params.sede'; did you mean 'seeds'?"),
        ("seeds", "--set seeds: is not of the form key=value"),
        ("=3", "is not of the form key=value"),
        ("seeds=[", "is not valid YAML"),
        ("seeds=-1", "--set seeds=-1: params.seeds: input should be greater than or equal to 1, got -1"),
        ("drift=.nan", "not a finite number"),
        ("lengths.0.x=3", "params.lengths"),
        ("drift=#c", "--set drift=#c: the value is missing"),
        ("a." * 3000 + "a=1", "nested more than 40 levels deep"),
        ("drift=\udcff", "--set drift=\\udcff: is not UTF-8"),
    ],
)
def test_overrides_that_cannot_be_are_refused_by_their_own_name(toy: Path, text: str, says: str) -> None:
    with pytest.raises(RecipeError) as refused:
        load(toy, Request(sets=(text,)))
    assert says in str(refused.value)
    assert str(refused.value).startswith("--set")


def test_a_mapping_whose_kind_changes_is_replaced_and_others_merge() -> None:
    base = read_text("model: {kind: conv, channels: 8}\nlr: {start: 1, stop: 2}", "base")
    layers = Layers(Layer(base.data, Written(base, ())))
    layers.lay(override("model={kind: mlp, width: 4}"))
    layers.lay(override("lr.stop=3"))
    assert layers.values == {"model": {"kind": "mlp", "width": 4}, "lr": {"start": 1, "stop": 3}}
    assert layers.location(("model", "width")) == "--set model={kind: mlp, width: 4}"
    assert layers.location(("lr", "start")).startswith("base:2:")
    assert layers.location(("lr", "stop")) == "--set lr.stop=3"


@pytest.mark.parametrize(
    "same",
    [
        [
            Request(),
            Request(sets=("drift=0.0",)),
            Request(sets=("drift=0",)),
            Request(seeds=4),
            Request(sets=("seeds=4",)),
        ],
        [Request(seeds=6), Request(sets=("seeds=6",)), Request(sets=("seeds=6",), seeds=6)],
        [Request(sets=sets) for sets in (("drift=1", "pause=2"), ("pause=2.0", "drift=1e0"), ("drift=1", "pause=2"))],
        [Request(sets=sets) for sets in (("lengths.1=8",), ("lengths=[4, 8, 4000]",), ("lengths.1=8", "lengths.0=4"))],
    ],
)
def test_one_setting_has_one_folder_and_one_way_to_say_it(toy: Path, same: list[Request]) -> None:
    recipes = [load(toy, request) for request in same]
    assert len({(recipe.folder, recipe.overrides, recipe.hash) for recipe in recipes}) == 1


def test_settings_that_differ_have_folders_of_their_own(toy: Path) -> None:
    requests = [
        Request(),
        Request(seeds=6),
        Request(first_seed=6),
        Request(sets=("drift=6",)),
        Request(sets=("lengths.0=6",)),
        Request(sets=("lengths.1=6",)),
    ]
    assert len({load(toy, request).folder for request in requests}) == len(requests)


def test_what_departs_from_a_profile_is_said_by_options_that_say_the_same(toy: Path) -> None:
    recipe = load(toy, Request(sets=("lengths.0=8", "dtype=float32"), seeds=6, first_seed=1000))
    assert recipe.overrides == ("--set dtype=float32", "--set lengths=[8, 400, 4000]", "--seeds 6", "--first-seed 1000")
    said = Request(sets=("dtype=float32", "lengths=[8, 400, 4000]"), seeds=6, first_seed=1000)
    assert load(toy, said).overrides == recipe.overrides


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(sets=("seeds=4",), seeds=3), "--set seeds=4 and --seeds 3 contradict each other; set 'seeds' once"),
        (
            Request(sets=("drift=1", "drift=2")),
            "--set drift=1 and --set drift=2 contradict each other; set 'drift' once",
        ),
        (
            Request(sets=("lengths.0=8", "lengths=[4]")),
            "--set lengths.0=8 and --set lengths=[4] contradict each other; set 'lengths' once",
        ),
        (
            Request(sets=("lengths.0=8", "lengths.0=9")),
            "--set lengths.0=8 and --set lengths.0=9 contradict each other; set 'lengths.0' once",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(toy: Path, request_: Request, says: str) -> None:
    with pytest.raises(RecipeError) as refused:
        load(toy, request_)
    assert str(refused.value) == says


def test_one_element_of_a_list_can_be_set(toy: Path) -> None:
    assert load(toy, Request(sets=("lengths.1=32", "lengths.2=8"))).params.lengths == (4, 32, 8)


@pytest.mark.parametrize("index", ["3", "-1", "x", "01", "+1"])
def test_an_element_that_there_is_not_is_refused(toy: Path, index: str) -> None:
    with pytest.raises(
        RecipeError, match=r"^--set \S+: there is no lengths\.\S+; lengths is a list, its elements: "
    ) as no:
        load(toy, Request(sets=(f"lengths.{index}=32",)))
    assert str(no.value).endswith("lengths.0 to lengths.2")


def test_a_swept_list_names_each_value_once(toy: Path) -> None:
    for text in ("lengths=[4, 4]", "lengths.0=400"):
        with pytest.raises(RecipeError, match=r"params.lengths: give each value once"):
            load(toy, Request(sets=(text,)))


@pytest.mark.parametrize("texts", [("model.kind=mlp", "model.width=4"), ("model.width=4", "model={kind: mlp}")])
def test_the_order_of_options_plays_no_part(texts: tuple[str, ...]) -> None:
    base = read_text("model: {kind: conv, channels: 8}\ndims: [{a: 1}, {a: 2}]", "base")
    for given in (texts, texts[::-1]):
        layers = Layers(Layer(base.data, Written(base, ())))
        for layer in in_order([*map(override, given), override("dims.1.a=3")]):
            layers.lay(layer)
        assert layers.values == {"model": {"kind": "mlp", "width": 4}, "dims": [{"a": 1}, {"a": 3}]}
        assert layers.location(("dims", 1, "a")) == "--set dims.1.a=3"
        assert layers.location(("dims", 0, "a")).startswith("base:2:")


def test_too_many_seeds_are_refused_by_their_own_option(toy: Path) -> None:
    with pytest.raises(RecipeError, match=r"^--seeds 10{23}: params.seeds: more than 1000000 seeds"):
        load(toy, Request(seeds=10**23))


def test_a_profile_that_the_recipe_lacks_is_not_taken_for_the_paper(toy: Path, tmp_path: Path) -> None:
    path = edited(toy, tmp_path, "  smoke:\n    lengths: [4, 400]\n    because: for tests\n", "")
    assert load(path).params.lengths == (4, 400, 4000)
    with pytest.raises(RecipeError, match=r"edited.yaml:9:1: there is no profile 'smoke'; known: laptop, paper"):
        load(path, Request("smoke"))


@pytest.mark.parametrize(
    "name", ["...yaml", ".x.yaml", "a\tb.yaml", "a\u202eb.yaml", "x" * 201 + ".yaml", "\udcff.yaml"]
)
def test_a_file_whose_name_can_name_no_folder_is_refused(toy: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(toy.read_bytes())
    with pytest.raises(RecipeError, match=r"rename the file|is not UTF-8") as refused:
        load(tmp_path / name)
    assert str(refused.value).isprintable()
