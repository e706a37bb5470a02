"""Names of runs stay in the place of all runs, whatever is asked for."""

import pytest
import scripts

from rl_pretrain.settings import SettingError, a_name


@pytest.mark.parametrize("name", ["cpu", "cpu-rft-0.1", "7x7", "a.b+c_d", "ärmel"])
def test_a_name_is_one_of_a_directory(name):
    a_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "../elsewhere", "a/b", "/tmp", "a b", "-", "a\n", "a\0"])
def test_other_names_are_refused_in_one_line(name):
    with pytest.raises(SettingError, match="name must be letters") as error:
        a_name(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "script",
    [
        *("go_9x9", "go_arms", "synthetic_tasks", "orthogonality", "external_memory"),
        *("esolang_search", "esolang_transfer", "esolang_llm"),
    ],
)
def test_every_script_with_runs_asks(script):
    module = scripts.load(script)
    with pytest.raises(module.SettingError, match="name must be"):
        module.Config(name="../elsewhere")
