"""Deviations say in few words what differs from the paper, and where."""

from resodectl.recipe.deviations import differences


def test_a_choice_of_another_kind_deviates_as_a_whole() -> None:
    paper = {"model": {"kind": "conv", "channels": 16}, "lr": {"start": 1.0, "stop": 0.0}}
    here = {"model": {"kind": "mlp", "width": 4}, "lr": {"start": 1.0, "stop": 0.5}}
    assert list(map(str, differences(paper, here))) == ["model: mlp (paper: conv)", "lr.stop: 0.5 (paper: 0)"]


def test_a_deviation_shows_what_differs_even_in_the_middle_of_a_list() -> None:
    (deviation,) = differences({"n": [1, 2, 3, 4, 9]}, {"n": [1, 2, 5, 4, 9]})
    assert str(deviation) == "n: [1, 2, 5, 4, 9] (paper: [1, 2, 3, 4, 9])"


def test_groups_are_compared_one_by_one_where_there_are_equally_many() -> None:
    paper = {"runs": [{"kind": "adam", "lr": 0.1}, {"kind": "sgd", "lr": 0.1}]}
    here = {"runs": [{"kind": "adam", "lr": 0.2}, {"kind": "flow", "lr": 0.1}]}
    assert list(map(str, differences(paper, here))) == [
        "runs.0.lr: 0.2 (paper: 0.1)",
        "runs.1: flow (paper: sgd)",
    ]
    (fewer,) = differences(paper, {"runs": here["runs"][:1]})
    assert str(fewer) == "runs: adam (paper: 2 of them)"


def test_no_python_stands_in_a_deviation() -> None:
    paper = {"augment": True, "stop": None, "start": {"norm": 15.0, "kind_of": "plateau"}}
    here = {"augment": False, "stop": 0.5, "start": None}
    assert list(map(str, differences(paper, here))) == [
        "augment: no (paper: yes)",
        "stop: 0.5 (paper: none)",
        "start: none (paper: norm 15, kind_of plateau)",
    ]


def test_lists_of_groups_that_look_alike_in_brief_are_written_out() -> None:
    (deviation,) = differences({"runs": [{"lr": 1}, {"lr": 2}]}, {"runs": []})
    assert str(deviation) == "runs: [] (paper: 2 of them)"
