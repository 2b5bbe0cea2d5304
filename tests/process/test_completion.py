"""`datumd completion`: the script for bash does what a shell asks of it; those for zsh and fish name the same words."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_TORCH = """
import sys
from pipeline.cli import main
code = main(["completion", sys.argv[1]])
print(sorted({"torch", "onnxruntime", "matplotlib"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def bash_script() -> str:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, "bash"], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    return done.stdout


def completed(script: str, folder: Path, *words: str) -> list[str]:
    """What bash would offer for the last of these words."""
    (folder / "datumd.bash").write_text(script)
    ask = """
    source ./datumd.bash || exit 1
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    complete -p datumd >&2 && _datumd
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-u", "-c", ask, "bash", *words], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stderr == "complete -o default -F _datumd datumd\n"
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["datumd", "ini"], ["init"]),
        (["datumd", "cal"], ["calibrate"]),  # of another part of the product
        (["datumd", "calibrate", ""], ["board", "lens", "plane", "visibility"]),
        (["datumd", "calibrate", "lens", "--ima"], ["--images"]),
        (["datumd", "train", "--method", "coarse"], ["coarse_to_fine"]),
        (["datumd", "init", "--sim"], ["--simulated"]),
        (["datumd", "completion", "f"], ["fish"]),
        (["datumd", "--ver"], ["--version"]),
        (["datumd", "init", "--images", "i"], []),  # files, which bash offers by itself
        (["datumd", "seal", "tra"], []),  # a folder, no command
    ],
)
def test_bash_offers_what_may_follow(bash_script: str, tmp_path: Path, words: list[str], offered: list[str]) -> None:
    assert sorted(completed(bash_script, tmp_path, *words)) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_the_same_words(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    from pipeline.cli import main

    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert not re.search("@[A-Z]+@", script)
    assert "calibrate/lens" in script
    for word in ("coarse_to_fine", "simulated", "visibility", "inspect rendered parts on a simulated line"):
        assert word in script


def test_another_shell_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.cli import main

    with pytest.raises(SystemExit) as end:
        main(["completion", "tcsh"])
    assert end.value.code == 2
    assert "choose from bash, zsh, fish" in capsys.readouterr().err.replace("'", "")
